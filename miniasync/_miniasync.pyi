# SPDX-License-Identifier: BSD-3-Clause
from typing import Any

# Described in src/_miniasync_cdef.h; cffi's own types know no struct's members.
ffi: Any
lib: Any
