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

/* Copies `words` words from the mapping, starting at word `first` of it, to ordinary memory. */
void pitayad_read_words(const volatile uint32_t *mapping, uint32_t first, uint32_t words, uint32_t *to)
{
  const volatile uint32_t *from = mapping + first;
  for (uint32_t i = 0; i < words; i++)
    to[i] = from[i];
}

/* Copies `words` words of ordinary memory into the mapping, starting at word `first` of it. */
void pitayad_write_words(volatile uint32_t *mapping, uint32_t first, uint32_t words, const uint32_t *from)
{
  volatile uint32_t *to = mapping + first;
  for (uint32_t i = 0; i < words; i++)
    to[i] = from[i];
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
