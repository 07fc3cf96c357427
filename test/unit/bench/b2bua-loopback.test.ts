import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { B2buaLoad } from '../../../src/bench/b2bua-load.ts';
import { createPortableIo } from '../../../src/bench/portable-io.ts';
import { aesKeystream, createNodeMediaCrypto } from '../../../src/node/node-media-crypto.ts';
import { type BencodeDictionary, decodeBencode, encodeBencode } from '../../../src/wire/bencode.ts';

/** An engine of real sockets on loopback that forwards what comes, keys and all: both legs must be alike. */
class Forwarder {
  readonly commands: string[] = [];
  readonly #sockets: Socket[] = [];
  /** By call-id: the ports that the engine gave caller and callee, and sockets behind them. */
  readonly #calls = new Map<string, { readonly caller: Socket; readonly callee: Socket; answer: string }>();

  /** Returns the port of `ng`. */
  async start(): Promise<number> {
    const ng = await this.#open();
    ng.on('message', async (message, { address, port }) => {
      const space = message.indexOf(' ');
      const reply = await this.#carryOut(decodeBencode(message.subarray(space + 1)) as BencodeDictionary);
      ng.send(Buffer.concat([message.subarray(0, space + 1), encodeBencode(reply)]), port, address);
    });
    return ng.address().port;
  }

  stop(): void {
    for (const socket of this.#sockets) socket.close();
  }

  async #carryOut(command: BencodeDictionary): Promise<BencodeDictionary> {
    const id = String(command['call-id']);
    const sdp = String(command.sdp);
    this.commands.push(String(command.command));
    if (command.command === 'offer') {
      const [caller, callee] = [await this.#open(), await this.#open()];
      const callerPort = portOf(sdp);
      callee.on('message', (packet) => caller.send(packet, callerPort, '127.0.0.1'));
      this.#calls.set(id, { caller, callee, answer: '' });
      return { result: 'ok', sdp: withPort(sdp, callee.address().port) };
    }
    const call = this.#calls.get(id);
    if (command.command === 'delete' || !call) return { result: 'ok' };
    const calleePort = portOf(sdp);
    call.caller.on('message', (packet) => call.callee.send(packet, calleePort, '127.0.0.1'));
    return { result: 'ok', sdp: withPort(sdp, call.caller.address().port) };
  }

  async #open(): Promise<Socket> {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    this.#sockets.push(socket);
    await once(socket, 'listening');
    return socket;
  }
}

const portOf = (sdp: string): number => Number(/m=audio (\d+)/.exec(sdp)?.[1]);
const withPort = (sdp: string, port: number): string => sdp.replace(/m=audio \d+/, `m=audio ${port}`);

let engine: Forwarder;
afterEach(() => engine.stop());

for (const suite of [null, 'AES_CM_128_HMAC_SHA1_80', 'AEAD_AES_256_GCM']) {
  test(`over real sockets, ${suite ?? 'RTP'}: calls are set up, media passes both ways, calls are deleted`, async () => {
    engine = new Forwarder();
    const io = createPortableIo(64);
    const crypto = { media: createNodeMediaCrypto(io.bytes), keystream: aesKeystream };
    const load = new B2buaLoad(
      io,
      crypto,
      {
        ngAddress: '127.0.0.1',
        ngPort: await engine.start(),
        calls: 3,
        caller: suite,
        callee: suite,
        zones: null,
        packetsPerSecond: 300,
        direction: 'both',
        seconds: 1,
        warmupSeconds: 0,
        mediaAddress: null,
        setupOnly: false,
        callsPerSecond: null,
        outstandingMax: 2,
        serverPid: process.pid,
      },
      () => false,
      () => {},
    );
    const result = await load.run();
    for (const row of result.directions) {
      expect(row.sentPackets).toBeGreaterThan(50);
      expect([row.lostPackets, row.wrongPackets, row.duplicatePackets]).toEqual([0, 0, 0]);
    }
    // Both legs have the caller's key: the engine does nothing but forward.
    expect([result.unauthenticPackets, result.keyPassedThrough]).toEqual([0, suite !== null]);
    expect(engine.commands.filter((name) => name === 'delete')).toHaveLength(3);
    expect(result.serverProcess?.cpuMicrosecondsPerPacket).toBeGreaterThan(0);
  });
}
