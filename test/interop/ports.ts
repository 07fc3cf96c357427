/** Ports for servers under test: free over UDP and TCP, IPv4 and IPv6. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/**
 * Below the relay range and below the range from which the kernel gives ports to clients,
 * so that nothing takes a port between the check and its use; above the last that browsers and
 * `fetch` refuse to ask (10080: WHATWG Fetch, port blocking).
 */
const FIRST_PORT = 10_082;
const LAST_PORT = 19_998;

const ATTEMPTS_MAX = 200;

const handedOut = new Set<number>();

/**
 * An even port that is free on 127.0.0.1 and ::1 over UDP and TCP, and whose odd neighbour is
 * free too (turnutils_peer listens on both). Not given out twice by one test file.
 * @throws Error after 200 ports that were taken
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const port = randomInt(FIRST_PORT / 2, LAST_PORT / 2 + 1) * 2;
    if (handedOut.has(port) || !(await isFree(port)) || !(await isFree(port + 1))) continue;
    handedOut.add(port);
    return port;
  }
  throw new Error(`no free port among ${ATTEMPTS_MAX} tried between ${FIRST_PORT} and ${LAST_PORT}`);
}

async function isFree(port: number): Promise<boolean> {
  const checks = await Promise.all([
    udpBinds('udp4', '127.0.0.1', port),
    udpBinds('udp6', '::1', port),
    tcpListens('127.0.0.1', port),
    tcpListens('::1', port),
  ]);
  return checks.every((free) => free);
}

function udpBinds(type: 'udp4' | 'udp6', address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(type);
    socket.once('error', () => socket.close(() => resolve(false)));
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}

function tcpListens(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
