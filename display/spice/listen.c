/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Addresses and listening sockets: made here, not by the library, so that a wrong address or a port
 * in use ends in a sentence with its cause.
 */
#include "listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

bool
vt_spice_address_parse (const char *text, VtSpiceAddress *address, GError **error)
{
  const struct addrinfo hints = {
    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
    .ai_socktype = SOCK_STREAM,
  };
  struct addrinfo *info = NULL;

  memset (address, 0, sizeof *address);
  if (!text || g_ascii_strcasecmp (text, "localhost") == 0)
    text = "127.0.0.1";
  if (!*text || strlen (text) >= sizeof address->text
      || getaddrinfo (text, NULL, &hints, &info) != 0 || !info)
    return vt_set_error (
        error, VITRINE_ERROR_INVALID,
        "\"%s\" is not a numeric address: give one such as 127.0.0.1 (this computer "
        "only), 0.0.0.0 or :: (every network).",
        text);

  memcpy (&address->sockaddr, info->ai_addr, info->ai_addrlen);
  address->len = info->ai_addrlen;
  g_strlcpy (address->text, text, sizeof address->text);
  if (info->ai_family == AF_INET)
    {
      const struct sockaddr_in *in = (const struct sockaddr_in *) &address->sockaddr;

      address->loopback = (ntohl (in->sin_addr.s_addr) >> 24) == 127;
      address->any = in->sin_addr.s_addr == INADDR_ANY;
    }
  else if (info->ai_family == AF_INET6)
    {
      const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) &address->sockaddr;

      address->loopback = IN6_IS_ADDR_LOOPBACK (&in6->sin6_addr);
      address->any = IN6_IS_ADDR_UNSPECIFIED (&in6->sin6_addr);
    }
  freeaddrinfo (info);
  return true;
}

static bool
bind_error (GError **error, int err, const char *text, uint16_t port)
{
  switch (err)
    {
    case EADDRINUSE:
      return vt_set_error (error, VITRINE_ERROR_BUSY,
                           "Port %u of %s is in use by another program: choose another port, or 0 "
                           "for any free one.",
                           port, text);
    case EADDRNOTAVAIL:
      return vt_set_error (error, VITRINE_ERROR_INVALID,
                           "%s is not an address of this computer: use 127.0.0.1, 0.0.0.0 or one "
                           "that \"ip address\" lists.",
                           text);
    case EACCES:
      return vt_set_error (error, VITRINE_ERROR_DENIED,
                           "Port %u is reserved for the system: choose one from 1024 on.", port);
    case EAFNOSUPPORT:
      return vt_set_error (error, VITRINE_ERROR_UNSUPPORTED,
                           "This computer has no IPv6, which the address %s needs: use an IPv4 "
                           "address such as 127.0.0.1.",
                           text);
    default:
      return vt_set_errno (error, err, "Remote viewing can't listen on %s, port %u", text, port);
    }
}

int
vt_spice_bind (const VtSpiceAddress *address, uint16_t port, bool listening, GError **error)
{
  struct sockaddr_storage sockaddr = address->sockaddr;
  int                     on = 1, off = 0, err;
  int fd = socket (sockaddr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd < 0)
    {
      bind_error (error, errno, address->text, port);
      return -1;
    }
  /* Connections that an earlier machine left in TIME_WAIT don't keep the port. */
  setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (sockaddr.ss_family == AF_INET6)
    {
      setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
      ((struct sockaddr_in6 *) &sockaddr)->sin6_port = htons (port);
    }
  else
    ((struct sockaddr_in *) &sockaddr)->sin_port = htons (port);
  if (bind (fd, (struct sockaddr *) &sockaddr, address->len) < 0
      || (listening && listen (fd, SOMAXCONN) < 0))
    {
      err = errno;
      close (fd);
      bind_error (error, err, address->text, port);
      return -1;
    }
  return fd;
}

uint16_t
vt_spice_bound_port (int fd)
{
  struct sockaddr_storage sockaddr;
  socklen_t               len = sizeof sockaddr;

  if (getsockname (fd, (struct sockaddr *) &sockaddr, &len) < 0)
    return 0;
  if (sockaddr.ss_family == AF_INET6)
    return ntohs (((struct sockaddr_in6 *) &sockaddr)->sin6_port);
  return sockaddr.ss_family == AF_INET ? ntohs (((struct sockaddr_in *) &sockaddr)->sin_port) : 0;
}
