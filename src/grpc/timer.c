/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/timer.h"

#include <stdlib.h>

#include "base/cleanup.h"

#define TIMER_OFF SIZE_MAX

struct grpc_timer {
    struct timers *timers; /* borrowed */
    usec_t when;
    size_t place; /* in the heap; TIMER_OFF */
    void (*elapsed)(void *arg);
    void *arg;
};

void timers_done(struct timers *timers)
{
    free(timers->heap);
    *timers = (struct timers){0};
}

static int timers_grow(struct timers *timers)
{
    size_t room = timers->room ? timers->room * 2 : 16;
    struct grpc_timer **larger;

    if (timers->count < timers->room)
        return 0;
    larger = reallocarray(timers->heap, room, sizeof(struct grpc_timer *));
    if (!larger)
        return -1;
    timers->heap = larger;
    timers->room = room;
    return 0;
}

struct grpc_timer *timer_new(struct timers *timers, void (*elapsed)(void *arg), void *arg)
{
    struct grpc_timer *timer = calloc(1, sizeof(*timer));

    if (!timer || timers_grow(timers) < 0) {
        free(timer);
        return NULL;
    }
    timers->count++;
    *timer =
        (struct grpc_timer){.timers = timers, .place = TIMER_OFF, .elapsed = elapsed, .arg = arg};
    return timer;
}

static void heap_put(struct timers *timers, size_t place, struct grpc_timer *timer)
{
    timers->heap[place] = timer;
    timer->place = place;
}

static void heap_rise(struct timers *timers, size_t place)
{
    struct grpc_timer *timer = timers->heap[place];

    while (place > 0 && timers->heap[(place - 1) / 2]->when > timer->when) {
        heap_put(timers, place, timers->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    heap_put(timers, place, timer);
}

static void heap_sink(struct timers *timers, size_t place)
{
    struct grpc_timer *timer = timers->heap[place];
    size_t child;

    while ((child = place * 2 + 1) < timers->set) {
        if (child + 1 < timers->set && timers->heap[child + 1]->when < timers->heap[child]->when)
            child++;
        if (timer->when <= timers->heap[child]->when)
            break;
        heap_put(timers, place, timers->heap[child]);
        place = child;
    }
    heap_put(timers, place, timer);
}

static void timer_switch_off(struct grpc_timer *timer)
{
    struct timers *timers = timer->timers;
    size_t place = timer->place;

    if (place == TIMER_OFF)
        return;
    timer->place = TIMER_OFF;
    if (place == --timers->set)
        return;
    heap_put(timers, place, timers->heap[timers->set]);
    heap_rise(timers, place);
    heap_sink(timers, place);
}

void grpc_timer_set(struct grpc_timer *timer, usec_t when)
{
    struct timers *timers = timer->timers;

    if (timer->place != TIMER_OFF && timer->when == when)
        return;
    timer_switch_off(timer);
    if (when == USEC_INFINITY)
        return;
    timer->when = when;
    heap_put(timers, timers->set++, timer);
    heap_rise(timers, timer->place);
}

struct grpc_timer *grpc_timer_free(struct grpc_timer *timer)
{
    if (!timer)
        return NULL;
    timer_switch_off(timer);
    timer->timers->count--;
    free(timer);
    return NULL;
}

usec_t timers_next(const struct timers *timers)
{
    return timers->set > 0 ? timers->heap[0]->when : USEC_INFINITY;
}

void timers_run(struct timers *timers, usec_t now)
{
    while (timers->set > 0 && timers->heap[0]->when <= now) {
        struct grpc_timer *timer = timers->heap[0];

        timer_switch_off(timer);
        timer->elapsed(timer->arg);
    }
}
