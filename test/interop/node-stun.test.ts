/** node-stun, a client of RFC 3489: no magic cookie, MAPPED-ADDRESS rather than XOR-MAPPED-ADDRESS. */
import { createSocket, type Socket } from 'node:dgram';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explain, startServer, type TurnServer } from './harness.ts';
import { type FinishedRun, run, tail } from './processes.ts';

const CLIENT_TIMEOUT_MS = 15_000;

/** What clients/node-stun.mjs prints. */
interface Discovery {
  readonly local: { readonly address: string; readonly port: number };
  readonly mapped: { readonly address: string; readonly port: number };
}

let server: TurnServer;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.stop());

describe('node-stun', () => {
  it('finds its own address when nothing lies between', async () => {
    const result = await discover(server.port);
    expect(result.exitCode, explain(result, server)).toBe(0);
    const { local, mapped } = discoveryOf(result);
    expect(mapped).toEqual(local);
  });

  it('finds the outer address of a NAT in between', async () => {
    const nat = await startNat(server.port);
    try {
      const result = await discover(nat.insidePort);
      expect(result.exitCode, explain(result, server)).toBe(0);
      const { local, mapped } = discoveryOf(result);
      expect(mapped).toEqual({ address: '127.0.0.1', port: nat.outsidePort });
      expect(mapped).not.toEqual(local);
    } finally {
      nat.close();
    }
  });

  it('finds nothing where no server answers', async () => {
    const silent = await bound();
    try {
      const result = await discover(silent.address().port);
      expect(result.exitCode, explain(result, server)).toBe(1);
    } finally {
      silent.close();
    }
  });
});

function discover(port: number): Promise<FinishedRun> {
  const script = join(import.meta.dirname, 'clients/node-stun.mjs');
  return run(process.execPath, [script, '127.0.0.1', String(port)], CLIENT_TIMEOUT_MS);
}

function discoveryOf(result: FinishedRun): Discovery {
  return JSON.parse(tail(result.output, 1)) as Discovery;
}

interface Nat {
  readonly insidePort: number;
  readonly outsidePort: number;
  close(): void;
}

/** A NAT for one client: what arrives inside leaves from the outside socket, and back. */
async function startNat(serverPort: number): Promise<Nat> {
  const [inside, outside] = [await bound(), await bound()];
  let clientPort: number | undefined;
  inside.on('message', (message, from) => {
    clientPort = from.port;
    outside.send(message, serverPort, '127.0.0.1');
  });
  outside.on('message', (message) => {
    if (clientPort !== undefined) inside.send(message, clientPort, '127.0.0.1');
  });
  return {
    insidePort: inside.address().port,
    outsidePort: outside.address().port,
    close(): void {
      inside.close();
      outside.close();
    },
  };
}

function bound(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.bind(0, '127.0.0.1', () => resolve(socket));
  });
}
