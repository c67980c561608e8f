// The threads of a block on the CPU. One block runs after the other, and its threads take turns: each runs from barrier
// to barrier. Whoever forgets a barrier meets threads that are far ahead or far behind.
//
// FAKE_CUDA_ORDER: the order of turns, 0 for ascending, 1 for descending, more for shuffled ones; FAKE_CUDA_SKIP: the
// number of a barrier that is passed over. Compiled with FAKE_CUDA_SYSTEM_THREADS, and on processors other than x86-64,
// the threads are the system's: for ThreadSanitizer.
#include "threads.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <random>
#include <vector>

#include "settings.h"

#if !defined(__x86_64__) || defined(FAKE_CUDA_SYSTEM_THREADS)
#define SYSTEM_THREADS 1
#include <pthread.h>

#include <thread>
#endif

namespace fake_cuda {

namespace {

thread_local Place here;
std::vector<char>& memory = *new std::vector<char>;  // outlives every thread

bool is_skipped(int number) {
  static const size_t skipped = fake_cuda::number("FAKE_CUDA_SKIP", SIZE_MAX);
  return skipped == static_cast<size_t>(number);
}

// The order in which `count` things take their next turn.
void shuffle(std::vector<int>& order) {
  static const size_t kind = fake_cuda::number("FAKE_CUDA_ORDER", 0);
  static std::mt19937 random(static_cast<unsigned>(kind));
  if (kind > 1) std::shuffle(order.begin(), order.end(), random);
}

std::vector<int> first_order(int count) {
  std::vector<int> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  if (fake_cuda::number("FAKE_CUDA_ORDER", 0) == 1) std::reverse(order.begin(), order.end());
  return order;
}

#ifdef SYSTEM_THREADS

pthread_barrier_t meeting;

void run_block(int threads, const std::function<void()>& kernel) {
  pthread_barrier_init(&meeting, nullptr, static_cast<unsigned>(threads));
  std::vector<std::thread> running;
  for (const int thread : first_order(threads)) {
    running.emplace_back([&kernel, place = Place{thread, here.block, here.blocks}] {
      here = place;
      kernel();
    });
  }
  for (auto& thread : running) thread.join();
  pthread_barrier_destroy(&meeting);
}

void meet(int) { pthread_barrier_wait(&meeting); }

#else

constexpr size_t STACK = size_t{64} << 10;

// Saves where the caller stands and goes on where another stood.
extern "C" void fake_cuda_switch(void** from, void* to);
asm(R"(
.text
.type fake_cuda_switch, @function
fake_cuda_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size fake_cuda_switch, .-fake_cuda_switch
)");

struct Fiber {
  std::vector<char> stack = std::vector<char>(STACK);
  void* stands = nullptr;
  int waits_at = 0;  // a barrier's number; -1 for the end
};

void* scheduler = nullptr;
Fiber* running = nullptr;
const std::function<void()>* work = nullptr;

void fiber_main() {
  (*work)();
  running->waits_at = -1;
  fake_cuda_switch(&running->stands, scheduler);
  std::abort();
}

// A stack from which `fake_cuda_switch` returns into `fiber_main`, aligned as after a call.
void prepare(Fiber& fiber) {
  auto top = reinterpret_cast<uintptr_t>(fiber.stack.data() + STACK) & ~uintptr_t{15};
  auto* at = reinterpret_cast<void**>(top) - 2;
  *at = reinterpret_cast<void*>(&fiber_main);
  at -= 6;
  std::fill(at, at + 6, nullptr);
  fiber.stands = at;
}

void run_block(int threads, const std::function<void()>& kernel) {
  static std::vector<Fiber> fibers;
  if (fibers.size() < static_cast<size_t>(threads)) fibers = std::vector<Fiber>(static_cast<size_t>(threads));
  for (int thread = 0; thread < threads; ++thread) prepare(fibers[static_cast<size_t>(thread)]);
  work = &kernel;
  std::vector<int> order = first_order(threads);
  for (int at = 0; at != -1;) {
    shuffle(order);
    for (const int thread : order) {
      running = &fibers[static_cast<size_t>(thread)];
      here.thread = thread;
      fake_cuda_switch(&scheduler, running->stands);
    }
    at = fibers[0].waits_at;
    for (const int thread : order) {
      if (fibers[static_cast<size_t>(thread)].waits_at == at) continue;
      std::fprintf(stderr, "the threads of a block meet at different barriers\n");
      std::abort();
    }
  }
}

void meet(int number) {
  running->waits_at = number;
  fake_cuda_switch(&running->stands, scheduler);
}

#endif

}  // namespace

const Place& place() { return here; }

void* shared_memory(size_t bytes) {
  if (bytes > memory.size() - 64) std::abort();
  const auto at = reinterpret_cast<uintptr_t>(memory.data());
  return reinterpret_cast<void*>((at + 63) & ~uintptr_t{63});
}

void barrier(int number) {
  if (!is_skipped(number)) meet(number);
}

void launch(int blocks, int threads, const std::function<void()>& kernel) {
  std::vector<int> order = first_order(blocks);
  shuffle(order);
  for (const int block : order) {
    here = {0, block, blocks};
    memory.assign(size_t{228} << 10, static_cast<char>(0xff));
    run_block(threads, kernel);
  }
}

}  // namespace fake_cuda
