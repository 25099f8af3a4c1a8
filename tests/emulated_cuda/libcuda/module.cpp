#include "emulated_cuda/libcuda/module.h"

#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "emulated_cuda/image.h"
#include "emulated_cuda/libcuda/facts.h"

// Of the C library: where the calling thread's copy of a module's thread storage lies.
extern "C" void* __tls_get_addr(size_t* module_and_offset);

namespace emulated {
namespace {

struct Storage {
  size_t module, bytes;
};

int find_storage(dl_phdr_info* info, size_t, void* wanted) {
  auto* storage = static_cast<Storage*>(wanted);
  if (info->dlpi_tls_modid != storage->module) return 0;
  for (int k = 0; k < info->dlpi_phnum; ++k) {
    if (info->dlpi_phdr[k].p_type == PT_TLS) storage->bytes = info->dlpi_phdr[k].p_memsz;
  }
  return 1;
}

// The loader takes files alone, each under a name of its own: equal names are one library to it.
void* open_image(const void* bytes, size_t count) {
  std::string path = (std::filesystem::temp_directory_path() / "lazuli-emulated-XXXXXX").string();
  int file = ::mkstemp(path.data());
  if (file < 0) return nullptr;
  const char* from = static_cast<const char*>(bytes);
  for (size_t written = 0; written < count;) {
    ssize_t step = ::write(file, from + written, count - written);
    if (step <= 0) break;
    written += static_cast<size_t>(step);
  }
  ::close(file);
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) std::fprintf(stderr, "emulated GPU: %s\n", ::dlerror());
  ::unlink(path.c_str());
  return library;
}

}  // namespace

std::unique_ptr<Module> Module::load(const void* image) {
  ImageHead head;
  std::memcpy(&head, image, sizeof head);
  if (std::memcmp(head.magic, image_magic, sizeof head.magic) != 0) {
    std::fprintf(stderr, "emulated GPU: this machine code was not made by its compiler\n");
    return nullptr;
  }
  void* library = open_image(static_cast<const char*>(image) + sizeof head, head.bytes);
  if (!library) return nullptr;
  return std::unique_ptr<Module>(new Module(library));
}

Module::Module(void* library) : library_(library) {
  entries_ = static_cast<const Entry*>(::dlsym(library, "emulated_entries"));
  if (::dlinfo(library, RTLD_DI_TLS_MODID, &shared_module_) == 0 && shared_module_ != 0) {
    Storage storage{shared_module_, 0};
    ::dl_iterate_phdr(find_storage, &storage);
    shared_bytes_ = storage.bytes;
  }
}

Module::~Module() { ::dlclose(library_); }

Kernel* Module::find(const std::string& name) {
  for (auto& kernel : kernels_) {
    if (name == kernel->entry->name) return kernel.get();
  }
  for (const Entry* entry = entries_; entry && entry->name; ++entry) {
    if (name != entry->name) continue;
    kernels_.push_back(std::make_unique<Kernel>(Kernel{this, entry, shared_bytes_default}));
    return kernels_.back().get();
  }
  return nullptr;
}

void Module::poison_static_shared(int value) const {
  if (shared_bytes_ == 0) return;
  size_t start[] = {shared_module_, 0};
  std::memset(__tls_get_addr(start), value, shared_bytes_);
}

}  // namespace emulated
