/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A handle on a call that may be gone: counted memory that stays behind when the call leaves.
 *
 * `call` is read and written on the call's thread only. Posting crosses over by the thread's
 * mailbox; the letter for one post at a time lies in the handle itself, so that answering a call
 * needs no memory.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "grpc/call.h"
#include "grpc/mailbox.h"
#include "grpc/thread.h"

struct call_letter {
    struct letter letter; /* first: the mailbox hands back its address */
    struct grpc_call_ref *ref;
    void (*run)(struct grpc_call *call, void *arg);
    void *arg;
};

struct grpc_call_ref {
    atomic_uint refs;
    struct mailbox *mailbox; /* counted */
    struct grpc_call *call;  /* the call's thread only; NULL: gone */
    struct call_letter own;
    atomic_bool own_is_out;    /* posted and not run */
    atomic_bool lost_a_letter; /* there was no memory for a second one */
};

struct grpc_call_ref *grpc_call_ref_new(struct grpc_call *call)
{
    struct grpc_call_ref *ref = call->ref;

    if (ref)
        return grpc_call_ref_ref(ref);
    ref = calloc(1, sizeof(*ref));
    if (!ref)
        return NULL;
    atomic_init(&ref->refs, 2); /* the caller's and the call's */
    atomic_init(&ref->own_is_out, false);
    atomic_init(&ref->lost_a_letter, false);
    ref->mailbox = mailbox_ref(thread_mailbox(grpc_call_thread(call)));
    ref->call = call;
    call->ref = ref;
    return ref;
}

struct grpc_call_ref *grpc_call_ref_ref(struct grpc_call_ref *ref)
{
    atomic_fetch_add_explicit(&ref->refs, 1, memory_order_relaxed);
    return ref;
}

struct grpc_call_ref *grpc_call_ref_unref(struct grpc_call_ref *ref)
{
    if (!ref || atomic_fetch_sub_explicit(&ref->refs, 1, memory_order_acq_rel) > 1)
        return NULL;
    mailbox_unref(ref->mailbox);
    free(ref);
    return NULL;
}

void call_ref_detach(struct grpc_call_ref *ref)
{
    ref->call = NULL;
    grpc_call_ref_unref(ref);
}

static void letter_run(struct letter *letter)
{
    struct call_letter *mine = (struct call_letter *)letter, posted = *mine;
    struct grpc_call_ref *ref = posted.ref;

    if (mine == &ref->own)
        atomic_store(&ref->own_is_out, false); /* `run` may post again */
    else
        free(mine);
    posted.run(ref->call, posted.arg);
    if (ref->call && atomic_exchange(&ref->lost_a_letter, false))
        (void)grpc_call_fail(ref->call, GRPC_STATUS_RESOURCE_EXHAUSTED, "no memory", NULL, 0);
    grpc_call_ref_unref(ref);
}

void grpc_call_post(struct grpc_call_ref *ref, void (*run)(struct grpc_call *call, void *arg),
                    void *arg)
{
    struct call_letter *letter = &ref->own;

    if (atomic_exchange(&ref->own_is_out, true))
        letter = malloc(sizeof(*letter));
    if (!letter) {
        atomic_store(&ref->lost_a_letter, true);
        run(NULL, arg);
        return;
    }
    *letter = (struct call_letter){
        .letter.run = letter_run, .ref = grpc_call_ref_ref(ref), .run = run, .arg = arg};
    mailbox_post(ref->mailbox, &letter->letter);
}
