/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default profile's filter beside the one that containers get by Debian's list, for a container
 * without capabilities: both are compiled, both judge the same calls, and whatever theirs denies
 * ours denies. The calls are generated: each number with each pair of arguments that a condition of
 * either could look at.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"
#include "spawn/profile.h"

/* Debian's package golang-github-containers-common, which tools/setup installs for tests. */
#define CONTAINERS_LIST "/usr/share/containers/seccomp.json"

#define NUMBERS_MAX   1024 /* of system calls: about 460 */
#define X32_BIT       0x40000000
#define ARGUMENTS_MAX 64

#if defined(__x86_64__)
#    define ARCHITECTURE      AUDIT_ARCH_X86_64
#    define ARCHITECTURE_NAME "amd64"
#elif defined(__aarch64__)
#    define ARCHITECTURE      AUDIT_ARCH_AARCH64
#    define ARCHITECTURE_NAME "arm64"
#else
#    error "what does the list call this architecture?"
#endif

struct fixture {
    struct syscall_filter ours;
    struct sock_filter *theirs;
    size_t theirs_count;
    uint64_t arguments[ARGUMENTS_MAX]; /* those that make a difference */
    size_t argument_count;
};

static struct fixture fixture;

/* --- their filter, from the list -----------------------------------------------------------------
 */

static bool array_has(const json_t *array, const char *wanted)
{
    const json_t *each;
    size_t i;

    json_array_foreach((json_t *)array, i,
                       each) if (text_equal(json_string_value(each), wanted)) return true;
    return false;
}

/* Does the entry count on this architecture, without any capability? */
static bool entry_counts(const json_t *entry)
{
    const json_t *includes = json_object_get(entry, "includes");
    const json_t *arches = json_object_get(includes, "arches");

    if (json_array_size(json_object_get(includes, "caps")) > 0)
        return false;
    return json_array_size(arches) == 0 || array_has(arches, ARCHITECTURE_NAME);
}

static uint32_t entry_action(const json_t *entry)
{
    const char *action = json_string_value(json_object_get(entry, "action"));

    if (text_equal(action, "SCMP_ACT_ALLOW"))
        return SCMP_ACT_ALLOW;
    assert_string_equal(action, "SCMP_ACT_ERRNO");
    return SCMP_ACT_ERRNO(EPERM);
}

static void argument_note(uint64_t value)
{
    for (size_t i = 0; i < fixture.argument_count; i++)
        if (fixture.arguments[i] == value)
            return;
    assert_true(fixture.argument_count < ARGUMENTS_MAX);
    fixture.arguments[fixture.argument_count++] = value;
}

/* A value, its neighbours, and the same behind the half that a careless comparison looks at. */
static void argument_note_around(uint64_t value)
{
    argument_note(value);
    argument_note(value + 1);
    argument_note(value | UINT64_C(1) << 32);
}

static struct scmp_arg_cmp condition_of(const json_t *argument)
{
    const char *op = json_string_value(json_object_get(argument, "op"));
    uint64_t value = (uint64_t)json_integer_value(json_object_get(argument, "value"));

    assert_true(text_equal(op, "SCMP_CMP_EQ") || text_equal(op, "SCMP_CMP_NE"));
    argument_note_around(value);
    return (struct scmp_arg_cmp){
        .arg = (unsigned)json_integer_value(json_object_get(argument, "index")),
        .op = text_equal(op, "SCMP_CMP_EQ") ? SCMP_CMP_EQ : SCMP_CMP_NE,
        .datum_a = value,
    };
}

/* The list both allows and denies setns(2): what it denies anywhere counts as denied. */
static void entry_add(scmp_filter_ctx filter, const json_t *entry, bool denied[NUMBERS_MAX])
{
    const json_t *names = json_object_get(entry, "names"), *args = json_object_get(entry, "args");
    struct scmp_arg_cmp conditions[6];
    uint32_t action = entry_action(entry);
    const json_t *each;
    size_t i, count = json_array_size(args);

    assert_true(count <= ARRAY_SIZE(conditions));
    for (i = 0; i < count; i++)
        conditions[i] = condition_of(json_array_get(args, i));
    json_array_foreach((json_t *)names, i, each)
    {
        int number = seccomp_syscall_resolve_name(json_string_value(each));

        if (number < 0 || denied[number]) /* not of this architecture */
            continue;
        denied[number] = action != SCMP_ACT_ALLOW && count == 0;
        assert_int_equal(
            seccomp_rule_add_array(filter, action, number, (unsigned)count, conditions), 0);
    }
}

static void entries_add(scmp_filter_ctx filter, const json_t *entries, bool allowing,
                        bool denied[NUMBERS_MAX])
{
    const json_t *entry;
    size_t i;

    json_array_foreach((json_t *)entries, i,
                       entry) if (entry_counts(entry) &&
                                  (entry_action(entry) == SCMP_ACT_ALLOW) == allowing)
        entry_add(filter, entry, denied);
}

static void filter_take(scmp_filter_ctx filter)
{
    _cleanup_close_ int fd = memfd_create("theirs", MFD_CLOEXEC);
    struct stat stat;

    assert_int_equal(seccomp_export_bpf(filter, fd), 0);
    assert_int_equal(fstat(fd, &stat), 0);
    fixture.theirs_count = (size_t)stat.st_size / sizeof(*fixture.theirs);
    fixture.theirs = malloc((size_t)stat.st_size);
    assert_non_null(fixture.theirs);
    assert_int_equal(fd_pread_full(fd, fixture.theirs, (size_t)stat.st_size, 0), 0);
}

static void compile_theirs(void)
{
    json_error_t why;
    json_t *list = json_load_file(CONTAINERS_LIST, 0, &why);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    bool denied[NUMBERS_MAX] = {false};

    if (!list)
        fail_msg("%s: %s (tools/setup test installs it)", CONTAINERS_LIST, why.text);
    assert_true(json_array_size(json_object_get(list, "syscalls")) > 20);
    assert_non_null(filter);
    entries_add(filter, json_object_get(list, "syscalls"), false, denied);
    entries_add(filter, json_object_get(list, "syscalls"), true, denied);
    filter_take(filter);
    seccomp_release(filter);
    json_decref(list);
}

static int setup(void **unused)
{
    compile_theirs();
    for (size_t i = 0; i < profile_default.calls->condition_count; i++)
        argument_note_around(profile_default.calls->conditions[i].value);
    argument_note(UINT64_MAX);
    return syscall_filter_compile(profile_default.calls, &fixture.ours, NULL);
}

static int teardown(void **unused)
{
    free(fixture.theirs);
    syscall_filter_done(&fixture.ours);
    return 0;
}

/* --- a classic BPF machine, as far as seccomp(2) has one ----------------------------------------
 */

static uint32_t load(const struct seccomp_data *data, uint32_t offset)
{
    uint32_t word;

    assert_true(offset % sizeof(word) == 0 && offset < sizeof(*data));
    memcpy(&word, (const uint8_t *)data + offset, sizeof(word));
    return word;
}

static bool jump_is_taken(const struct sock_filter *at, uint32_t a)
{
    switch (BPF_OP(at->code)) {
    case BPF_JEQ:
        return a == at->k;
    case BPF_JGT:
        return a > at->k;
    case BPF_JGE:
        return a >= at->k;
    case BPF_JSET:
        return a & at->k;
    default:
        fail_msg("there is a jump %#x", (unsigned)at->code);
        return false;
    }
}

/* What the program answers: SECCOMP_RET_… */
static uint32_t judge(const struct sock_filter *program, size_t count,
                      const struct seccomp_data *data)
{
    uint32_t a = 0;

    for (size_t i = 0; i < count; i++) {
        const struct sock_filter *at = &program[i];

        if (at->code == (BPF_LD | BPF_W | BPF_ABS))
            a = load(data, at->k);
        else if (at->code == (BPF_ALU | BPF_AND | BPF_K))
            a &= at->k;
        else if (at->code == (BPF_RET | BPF_K))
            return at->k;
        else if (at->code == (BPF_JMP | BPF_JA))
            i += at->k;
        else if (BPF_CLASS(at->code) == BPF_JMP)
            i += jump_is_taken(at, a) ? at->jt : at->jf;
        else
            fail_msg("there is an instruction %#x", (unsigned)at->code);
    }
    fail_msg("the program has no end");
    return 0;
}

static bool ours_allows(const struct seccomp_data *data)
{
    return judge(fixture.ours.instructions, fixture.ours.count, data) == SECCOMP_RET_ALLOW;
}

static bool theirs_allows(const struct seccomp_data *data)
{
    return judge(fixture.theirs, fixture.theirs_count, data) == SECCOMP_RET_ALLOW;
}

/* --- the comparison ------------------------------------------------------------------------------
 */

static void compare(const struct seccomp_data *data)
{
    if (ours_allows(data) && !theirs_allows(data))
        fail_msg("call %d(%#llx, %#llx, %#llx) is allowed to jobs and not to containers", data->nr,
                 (unsigned long long)data->args[0], (unsigned long long)data->args[1],
                 (unsigned long long)data->args[2]);
}

/* Neither looks at more than two arguments of a call: 0 and 1, or 0 and 2. */
static void compare_number(int number, uint32_t architecture)
{
    for (size_t i = 0; i < fixture.argument_count; i++)
        for (size_t j = 0; j < fixture.argument_count; j++) {
            uint64_t first = fixture.arguments[i], second = fixture.arguments[j];
            struct seccomp_data data = {
                .nr = number,
                .arch = architecture,
                .args = {first, second, second},
            };

            compare(&data);
            data.args[2] = 0;
            compare(&data);
        }
}

static void test_profile_default_denies_what_containers_are_denied(void **unused)
{
    for (int number = 0; number < NUMBERS_MAX; number++)
        compare_number(number, ARCHITECTURE);
}

static void test_profile_default_allows_no_other_architecture(void **unused)
{
    const uint32_t others[] = {AUDIT_ARCH_I386, AUDIT_ARCH_ARM, AUDIT_ARCH_MIPS};

    for (int number = 0; number < NUMBERS_MAX; number++) {
        for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
            const struct seccomp_data data = {.nr = number, .arch = others[i]};

            assert_false(ours_allows(&data));
        }
#if defined(__x86_64__)
        assert_false(
            ours_allows(&(struct seccomp_data){.nr = number | X32_BIT, .arch = AUDIT_ARCH_X86_64}));
#endif
    }
}

/* What the comparison says is worth something only if both say yes to ordinary calls. */
static void test_filters_allow_ordinary_calls(void **unused)
{
    static const char *const ordinary[] = {"read", "write", "execve", "openat", "clone", "mmap"};

    for (size_t i = 0; i < ARRAY_SIZE(ordinary); i++) {
        const struct seccomp_data data = {
            .nr = seccomp_syscall_resolve_name(ordinary[i]),
            .arch = ARCHITECTURE,
        };

        assert_true(ours_allows(&data));
        assert_true(theirs_allows(&data));
    }
    assert_false(theirs_allows(
        &(struct seccomp_data){.nr = seccomp_syscall_resolve_name("setns"), .arch = ARCHITECTURE}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters_allow_ordinary_calls),
        cmocka_unit_test(test_profile_default_denies_what_containers_are_denied),
        cmocka_unit_test(test_profile_default_allows_no_other_architecture),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
