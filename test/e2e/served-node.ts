/** The built program serving on loopback, and a TURN client of a few lines, for end-to-end tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import * as stun from '../../lab/phone/plain-stun.ts';
import type { Place } from '../kit/sim-network.ts';

/** The built program, as a user runs it: `npm test` builds it first. */
export const MAIN: string = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

const POLL_MS = 25;
const RETRANSMISSION_MS = 250;
const HOST = '127.0.0.1';

export interface ServedNode {
  readonly process: ChildProcess;
  readonly port: number;
  readonly admin: string;
  /** Everything printed so far. */
  output(): string;
  /** Sends SIGTERM and tells the exit code. */
  stop(): Promise<number | null>;
}

/** Starts `causeway serve` and waits until it answers on /healthz; rejects with its output if it ends first. */
export async function serve(
  folder: string,
  settings: {
    readonly turn?: object;
    readonly node?: object;
    readonly b2bua?: object;
    readonly port?: number;
  } = {},
): Promise<ServedNode> {
  const port = settings.port ?? (await freePort());
  const adminPort = await freePort();
  const config = {
    node: { stateDirectory: join(folder, 'state'), log: { format: 'json' }, ...settings.node },
    turn: {
      listenAddresses: [HOST],
      requestsPort: port,
      peers: { allow: ['127.0.0.0/8'] },
      limits: { unauthenticatedRepliesPerSecond: 0 },
      ...settings.turn,
    },
    b2bua: { services: false, ...settings.b2bua },
    admin: { http: `${HOST}:${adminPort}` },
  };
  const file = join(folder, `${port}.yaml`);
  writeFileSync(file, stringify(config));
  const child = spawn(process.execPath, [MAIN, 'serve', '-c', file], { cwd: folder });
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => chunks.push(String(chunk)));
  const ended = once(child, 'close') as Promise<[number | null]>;
  let exitCode: number | null | undefined;
  void ended.then(([code]) => {
    exitCode = code;
  });
  const admin = `http://${HOST}:${adminPort}`;
  while (!(await isHealthy(admin))) {
    if (exitCode !== undefined) throw new Error(`serve ended with ${exitCode}: ${chunks.join('')}`);
    await delay(POLL_MS);
  }
  return {
    process: child,
    port,
    admin,
    output: () => chunks.join(''),
    stop: async () => {
      child.kill('SIGTERM');
      return (await ended)[0];
    },
  };
}

async function isHealthy(admin: string): Promise<boolean> {
  return fetch(`${admin}/healthz`).then(
    (response) => response.ok,
    () => false,
  );
}

/**
 * A port that is free over UDP and TCP, below the range from which the kernel gives ports to clients, and above the
 * last that `fetch` refuses to ask (10080: WHATWG Fetch, port blocking).
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_081, 20_000);
    const server = createServer();
    const socket = createSocket('udp4');
    try {
      server.listen(port, HOST);
      await once(server, 'listening');
      socket.bind({ address: HOST, port, exclusive: true });
      await once(socket, 'listening');
      return port;
    } catch {
      // taken: try another
    } finally {
      server.close();
      socket.close();
    }
  }
}

/** A TURN client over UDP; its requests are retransmitted until they are answered. */
export class UdpTurnClient {
  relay: Place | undefined;
  readonly #socket: Socket = createSocket('udp4');
  readonly #port: number;
  readonly #name: string;
  readonly #password: string;
  #realm = '';
  #nonce: Uint8Array = new Uint8Array(0);
  readonly #waiting = new Map<string, (message: stun.Message) => void>();
  readonly #data: Buffer[] = [];
  #wantsData: ((data: Buffer) => void) | undefined;

  constructor(port: number, name: string, password: string) {
    this.#port = port;
    this.#name = name;
    this.#password = password;
    this.#socket.on('message', (bytes) => this.#onMessage(bytes));
  }

  /** Allocates a relay; the STUN error code, or 0. */
  async allocate(): Promise<number> {
    const attributes = [{ type: stun.A.requestedTransport, value: Uint8Array.of(17, 0, 0, 0) }];
    const answer = await this.request(stun.ALLOCATE, () => attributes);
    const relayed = stun.find(answer, stun.A.xorRelayedAddress);
    if (relayed) this.relay = stun.decodeXorAddress(relayed, answer.transactionId);
    return stun.errorCode(answer);
  }

  async bindChannel(channel: number, peer: Place): Promise<number> {
    const answer = await this.request(stun.CHANNEL_BIND, (transactionId) => [
      { type: stun.A.channelNumber, value: Uint8Array.of(channel >> 8, channel & 255, 0, 0) },
      { type: stun.A.xorPeerAddress, value: stun.encodeXorAddress(peer, transactionId) },
    ]);
    return stun.errorCode(answer);
  }

  sendOnChannel(channel: number, data: string | Uint8Array): void {
    const payload = Buffer.from(data);
    const header = Buffer.of(channel >> 8, channel & 255, payload.length >> 8, payload.length & 255);
    this.#socket.send(Buffer.concat([header, payload]), this.#port, HOST);
  }

  /** The payload of the next ChannelData that comes, or came. */
  async receive(): Promise<string> {
    const data =
      this.#data.shift() ??
      (await new Promise<Buffer>((resolve) => {
        this.#wantsData = resolve;
      }));
    return data.toString();
  }

  /** Sends a request, with credentials once it has been challenged, and gives the last answer. */
  async request(
    method: number,
    attributes: (transactionId: Uint8Array) => readonly stun.Attribute[],
  ): Promise<stun.Message> {
    const answer = await this.#transact(method, attributes);
    const code = stun.errorCode(answer);
    const isChallenge = code === 438 || (code === 401 && this.#realm === '');
    if (!isChallenge) return answer;
    this.#realm = Buffer.from(stun.find(answer, stun.A.realm) ?? []).toString();
    this.#nonce = stun.find(answer, stun.A.nonce) ?? new Uint8Array(0);
    return this.#transact(method, attributes);
  }

  close(): void {
    this.#socket.close();
  }

  async #transact(
    method: number,
    attributes: (transactionId: Uint8Array) => readonly stun.Attribute[],
  ): Promise<stun.Message> {
    const transactionId = randomBytes(12);
    const proof =
      this.#realm === ''
        ? []
        : [
            { type: stun.A.username, value: Buffer.from(this.#name) },
            { type: stun.A.realm, value: Buffer.from(this.#realm) },
            { type: stun.A.nonce, value: this.#nonce },
          ];
    const key = stun.longTermKey('md5', this.#name, this.#realm, this.#password);
    const bytes = stun.encode(
      { method, kind: stun.REQUEST, transactionId, attributes: [...attributes(transactionId), ...proof] },
      this.#realm === '' ? {} : { integrity: { algorithm: 'sha1', key } },
    );
    const answered = new Promise<stun.Message>((resolve) => {
      this.#waiting.set(transactionId.toString('hex'), resolve);
    });
    const send = (): void => this.#socket.send(bytes, this.#port, HOST);
    send();
    const timer = setInterval(send, RETRANSMISSION_MS);
    return answered.finally(() => clearInterval(timer));
  }

  #onMessage(bytes: Buffer): void {
    if (((bytes[0] ?? 0) & 0xc0) === 0x40) {
      const data = bytes.subarray(4, 4 + bytes.readUInt16BE(2));
      if (this.#wantsData) this.#wantsData(data);
      else this.#data.push(data);
      this.#wantsData = undefined;
      return;
    }
    const message = stun.decode(bytes);
    const id = Buffer.from(message.transactionId).toString('hex');
    this.#waiting.get(id)?.(message);
    this.#waiting.delete(id);
  }
}
