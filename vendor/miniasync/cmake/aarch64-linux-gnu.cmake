# SPDX-License-Identifier: BSD-3-Clause
#
# cmake -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64-linux-gnu.cmake
#
# Builds for 64-bit ARM with Debian's cross compilers (packages
# g++-aarch64-linux-gnu, qemu-user), and runs the tests in QEMU.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

# A processor without dc cvap: on those that have it, QEMU 7.2 announces the
# instruction to programs (HWCAP_DCPOP), and then refuses to execute it.
set(CMAKE_CROSSCOMPILING_EMULATOR
  qemu-aarch64 -cpu cortex-a72 -L /usr/aarch64-linux-gnu)
