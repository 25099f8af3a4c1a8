# Writes OUTPUT, a C++ file with the text of every device source in FOLDER: the library ships them,
# to be compiled where the program runs. Run as a script.
file(GLOB_RECURSE sources RELATIVE ${FOLDER} ${FOLDER}/*.cuh ${FOLDER}/*.cu)
list(SORT sources)
set(entries "")
foreach(source IN LISTS sources)
  file(READ ${FOLDER}/${source} text)
  get_filename_component(name ${source} NAME)
  string(APPEND entries "      {\"${name}\",\n       R\"lazuli(${text})lazuli\"},\n")
endforeach()
file(WRITE ${OUTPUT} "// Made from the files in src/backends/cuda.
#include \"backends/cuda/programs/device_sources.h\"

namespace lazuli::cuda {

std::vector<DeviceSource> device_sources() {
  return {
${entries}  };
}

}  // namespace lazuli::cuda
")
