/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <linux/audit.h>

/*
 * What seccomp_data.arch is for a native system call of this program (seccomp(2)). x32 on x86-64 is
 * of the same architecture: its calls differ in a bit of their number.
 */
#if defined(__x86_64__)
#    define AUDIT_ARCH_NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#    define AUDIT_ARCH_NATIVE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#    define AUDIT_ARCH_NATIVE AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#    define AUDIT_ARCH_NATIVE AUDIT_ARCH_PPC64LE
#else
#    error "which AUDIT_ARCH_… is this? (and does clone(2) take its flags first?)"
#endif
