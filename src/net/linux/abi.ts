/**
 * `net/linux` is the only code that sees pointers and makes system calls; the rest of `net` gives it
 * descriptors, offsets and lengths, and each is checked here before the kernel gets it.
 *
 * This file: the numbers of Linux's 64-bit ABI as <asm-generic> has them, the same on x64 and arm64
 * unless said. Structures are given as sizes and byte offsets; fields are little endian.
 */
import process from 'node:process';

// errno
export const EINTR = 4;
export const EIO = 5;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EINVAL = 22;
export const ENFILE = 23;
export const EMFILE = 24;
export const EMSGSIZE = 90;
export const EADDRINUSE = 98;
export const ECONNREFUSED = 111;
export const ENOBUFS = 105;

// socket(2), send(2), recv(2)
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0x800;
export const SOCK_CLOEXEC = 0x80000;
export const MSG_TRUNC = 0x20;
export const MSG_CTRUNC = 0x08;
export const MSG_DONTWAIT = 0x40;
export const MSG_ERRQUEUE = 0x2000;

// socket(7), ip(7), ipv6(7), udp(7): levels and options
export const SOL_SOCKET = 1;
export const SO_ERROR = 4;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_REUSEPORT = 15;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const IPPROTO_IP = 0;
export const IP_MTU_DISCOVER = 10;
export const IP_RECVERR = 11;
export const IP_PMTUDISC_DO = 2;
export const IP_PMTUDISC_OMIT = 5;
export const IPPROTO_IPV6 = 41;
export const IPV6_RECVERR = 25;
export const IPV6_V6ONLY = 26;
export const IPV6_DONTFRAG = 62;
export const SOL_UDP = 17;
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;

// epoll(7), eventfd(2)
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLLIN = 0x1;
export const EPOLLERR = 0x8;
export const EPOLL_CLOEXEC = 0x80000;
export const EFD_CLOEXEC = 0x80000;
export const EFD_NONBLOCK = 0x800;

// mmap(2), madvise(2), prctl(2), setrlimit(2), clock_gettime(2)
export const PROT_READ_WRITE = 3;
export const MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x4022;
/** Since Linux 4.17: fail rather than map elsewhere or over something. */
export const MAP_FIXED_NOREPLACE = 0x100000;
export const MADV_DONTNEED = 4;
export const PR_SET_TIMERSLACK = 29;
export const RLIMIT_NOFILE = 7;
export const CLOCK_MONOTONIC = 1;

/** struct epoll_event { u32 events; u64 data }: packed on x64 alone. */
export const EPOLL_EVENT_BYTES: number = process.arch === 'x64' ? 12 : 16;
export const EPOLL_EVENT_DATA: number = process.arch === 'x64' ? 4 : 8;

/** struct sockaddr_in and sockaddr_in6: the lengths the kernel is told. */
export const SOCKADDR_IN_BYTES = 16;
export const SOCKADDR_IN6_BYTES = 28;

/** struct iovec { void *base; size_t len } */
export const IOVEC_BYTES = 16;
export const IOVEC_LENGTH = 8;

/** struct mmsghdr { struct msghdr { name, namelen, iov, iovlen, control, controllen, flags }; u32 len } */
export const MMSGHDR_BYTES = 64;
export const MSG_NAME = 0;
export const MSG_NAMELEN = 8;
export const MSG_IOV = 16;
export const MSG_IOVLEN = 24;
export const MSG_CONTROL = 32;
export const MSG_CONTROLLEN = 40;
export const MSG_FLAGS = 48;
export const MMSG_LENGTH = 56;

/** struct cmsghdr { size_t len; int level; int type } and its data; blocks are aligned to 8 bytes. */
export const CMSG_LEVEL = 8;
export const CMSG_TYPE = 12;
export const CMSG_DATA = 16;

/** struct sock_extended_err { u32 errno; u8 origin, type, code, pad; u32 info; u32 data } */
export const SOCK_EXTENDED_ERR_BYTES = 16;
export const EE_ERRNO = 0;
export const EE_ORIGIN = 4;
export const EE_TYPE = 5;
export const EE_CODE = 6;
export const EE_INFO = 8;
export const SO_EE_ORIGIN_LOCAL = 1;
export const SO_EE_ORIGIN_ICMP = 2;
export const SO_EE_ORIGIN_ICMP6 = 3;
