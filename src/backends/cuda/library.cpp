#include "backends/cuda/library.h"

#include <dlfcn.h>

#include <filesystem>
#include <sstream>

#include "base/flags.h"

namespace lazuli::cuda {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> folders() {
  std::vector<std::string> found;
  std::stringstream listed(flags().cuda_path);
  for (std::string folder; std::getline(listed, folder, ':');) {
    if (!folder.empty()) found.push_back(folder);
  }
  Dl_info here;
  if (dladdr(reinterpret_cast<void*>(&open_library), &here) && here.dli_fname) {
    fs::path folder = fs::path(here.dli_fname).parent_path();
    // The Python package lies in site-packages/lazuli, the library itself beside or below it.
    for (int up = 0; up < 3; ++up, folder = folder.parent_path()) {
      for (const char* part : {"nvidia/cu13/lib", "nvidia/cudnn/lib"}) {
        std::error_code ignored;
        if (fs::is_directory(folder / part, ignored)) found.push_back((folder / part).string());
      }
    }
  }
  found.push_back("");  // the loader's own search
  found.push_back("/usr/local/cuda/lib64");
  return found;
}

}  // namespace

void* open_library(const std::string& file, std::string& tried) {
  for (const std::string& folder : folders()) {
    std::string path = folder.empty() ? file : folder + "/" + file;
    if (void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL)) return library;
    const char* reason = dlerror();
    tried += "\n  " + std::string(reason ? reason : path.c_str());
  }
  return nullptr;
}

void* find_symbol(void* library, const char* name) { return dlsym(library, name); }

}  // namespace lazuli::cuda
