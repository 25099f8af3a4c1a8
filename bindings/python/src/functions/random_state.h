// `random.state`: stands in trees for the key of the default sequence.
#pragma once

namespace lazuli::python {

struct RandomState {};

}  // namespace lazuli::python
