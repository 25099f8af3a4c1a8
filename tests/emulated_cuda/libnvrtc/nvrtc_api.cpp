// The functions that the emulated libnvrtc.so.13 exports. Signatures: NVRTC reference, 13.0.
#include <cstring>

#include "emulated_cuda/libnvrtc/compiler.h"

#define EXPORTED extern "C" __attribute__((visibility("default")))

struct NvrtcProgram_st {
  emulated::Source source;
  std::vector<emulated::Source> headers;
  std::vector<std::string> expressions;
  emulated::Compiled compiled;
};
typedef NvrtcProgram_st* NvrtcProgram;

namespace {

enum Result : int {
  success = 0,
  invalid_input = 3,
  invalid_program = 4,
  invalid_option = 5,
  compilation_error = 6,
  no_lowered_names_before_compilation = 8,
  name_expression_not_valid = 10,
};

// NVRTC's options as the C++ compiler's. False if there is one that the emulation does not know.
struct Options {
  std::string standard = "c++17";
  std::vector<std::string> defines;
};
bool read_option(const std::string& option, Options& options) {
  auto value_of = [&](const std::string& name) {
    return option.starts_with(name) ? option.substr(name.size()) : std::string();
  };
  if (std::string standard = value_of("--std="); !standard.empty()) {
    options.standard = standard;
    return true;
  }
  if (std::string architecture = value_of("--gpu-architecture=sm_"); !architecture.empty()) {
    std::string digits = architecture.substr(0, architecture.find_first_not_of("0123456789"));
    options.defines.push_back("-D__CUDA_ARCH__=" + digits + "0");
    return true;
  }
  if (option.starts_with("-D") || option.starts_with("-U")) {
    options.defines.push_back(option);
    return true;
  }
  return option.starts_with("--fmad=") || option == "-default-device" ||
         option == "--device-as-default-execution-space" || option == "--use_fast_math" ||
         option == "-lineinfo" || option == "--generate-line-info";
}

}  // namespace

EXPORTED int nvrtcVersion(int* major, int* minor) {
  *major = 13;
  *minor = static_cast<int>(emulated::emulation_version());
  return success;
}

EXPORTED const char* nvrtcGetErrorString(int result) {
  switch (result) {
    case success: return "NVRTC_SUCCESS";
    case invalid_input: return "NVRTC_ERROR_INVALID_INPUT";
    case invalid_program: return "NVRTC_ERROR_INVALID_PROGRAM";
    case invalid_option: return "NVRTC_ERROR_INVALID_OPTION";
    case compilation_error: return "NVRTC_ERROR_COMPILATION";
    case no_lowered_names_before_compilation:
      return "NVRTC_ERROR_NO_LOWERED_NAMES_BEFORE_COMPILATION";
    case name_expression_not_valid: return "NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID";
    default: return "NVRTC_ERROR_INTERNAL_ERROR";
  }
}

EXPORTED int nvrtcCreateProgram(NvrtcProgram* program, const char* source, const char* name,
                                int header_count, const char* const* headers,
                                const char* const* header_names) {
  if (!program || !source || header_count < 0) return invalid_input;
  auto* made = new NvrtcProgram_st;
  made->source = {name ? name : "default_program", source};
  for (int k = 0; k < header_count; ++k) made->headers.push_back({header_names[k], headers[k]});
  *program = made;
  return success;
}

EXPORTED int nvrtcDestroyProgram(NvrtcProgram* program) {
  if (!program || !*program) return invalid_program;
  delete *program;
  *program = nullptr;
  return success;
}

EXPORTED int nvrtcAddNameExpression(NvrtcProgram program, const char* expression) {
  if (!program) return invalid_program;
  program->expressions.push_back(expression);
  return success;
}

EXPORTED int nvrtcCompileProgram(NvrtcProgram program, int option_count,
                                 const char* const* options) {
  if (!program) return invalid_program;
  Options read;
  for (int k = 0; k < option_count; ++k) {
    if (read_option(options[k], read)) continue;
    program->compiled.log =
        "the emulated compiler does not know the option " + std::string(options[k]);
    return invalid_option;
  }
  program->compiled = emulated::compile(program->source, program->headers, program->expressions,
                                        read.standard, read.defines);
  return program->compiled.done ? success : compilation_error;
}

// Kernels are found by the name they were asked for with.
EXPORTED int nvrtcGetLoweredName(NvrtcProgram program, const char* expression,
                                 const char** lowered) {
  if (!program) return invalid_program;
  if (!program->compiled.done) return no_lowered_names_before_compilation;
  for (const std::string& known : program->expressions) {
    if (known != expression) continue;
    *lowered = known.c_str();
    return success;
  }
  return name_expression_not_valid;
}

EXPORTED int nvrtcGetProgramLogSize(NvrtcProgram program, size_t* bytes) {
  if (!program) return invalid_program;
  *bytes = program->compiled.log.size() + 1;
  return success;
}
EXPORTED int nvrtcGetProgramLog(NvrtcProgram program, char* log) {
  if (!program) return invalid_program;
  std::memcpy(log, program->compiled.log.c_str(), program->compiled.log.size() + 1);
  return success;
}
EXPORTED int nvrtcGetCUBINSize(NvrtcProgram program, size_t* bytes) {
  if (!program) return invalid_program;
  *bytes = program->compiled.image.size();
  return success;
}
EXPORTED int nvrtcGetCUBIN(NvrtcProgram program, char* image) {
  if (!program) return invalid_program;
  std::memcpy(image, program->compiled.image.data(), program->compiled.image.size());
  return success;
}
