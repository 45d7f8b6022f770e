/*
 * What pitayad cannot do from JavaScript: move blocks of words over the FPGA's register bus, and tell systemd how it
 * is. Called through ffi-napi; the block copies on a thread of its pool.
 *
 * The FPGA's bus answers aligned 32-bit accesses, one at a time, and nothing else. `volatile uint32_t` makes the
 * compiler emit exactly one such load or store a word: no pairs, no vectors, no memcpy.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void pitayad_load_words(const volatile uint32_t *mapping, uint32_t *memory, uint32_t words)
{
  for (uint32_t i = 0; i < words; i++)
    memory[i] = mapping[i];
}

void pitayad_store_words(volatile uint32_t *mapping, const uint32_t *memory, uint32_t words)
{
  for (uint32_t i = 0; i < words; i++)
    mapping[i] = memory[i];
}

/*
 * A block to be copied between the mapping and ordinary memory. One pointer to all of it in place of four arguments,
 * because each argument of an ffi-napi call costs the event loop more time than many words cost the bus.
 */
struct pitayad_block {
  uint64_t mapping; /* address of its first word, */
  uint64_t memory;  /* and of the memory's: 64 bits on every machine */
  uint32_t words;
};

void pitayad_read_block(const struct pitayad_block *block)
{
  pitayad_load_words((const volatile uint32_t *)(uintptr_t)block->mapping, (uint32_t *)(uintptr_t)block->memory,
                     block->words);
}

void pitayad_write_block(const struct pitayad_block *block)
{
  pitayad_store_words((volatile uint32_t *)(uintptr_t)block->mapping, (const uint32_t *)(uintptr_t)block->memory,
                      block->words);
}

/*
 * Sends one state message (`READY=1`, `WATCHDOG=1` …) to the socket that systemd names in NOTIFY_SOCKET: a path, or
 * a name in the abstract name space when it starts with `@`. Never blocks. Returns 0, or the negative errno.
 */
int pitayad_sd_notify(const char *socket_name, const char *message)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(socket_name);
  if (length < 2 || length >= sizeof address.sun_path || (socket_name[0] != '/' && socket_name[0] != '@'))
    return -EINVAL;
  memcpy(address.sun_path, socket_name, length);
  if (socket_name[0] == '@')
    address.sun_path[0] = 0;

  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -errno;
  socklen_t address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
  ssize_t sent = sendto(fd, message, strlen(message), MSG_NOSIGNAL, (struct sockaddr *)&address, address_length);
  int result = sent < 0 ? -errno : 0;
  close(fd);
  return result;
}
