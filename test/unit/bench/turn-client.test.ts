import { createHash, createHmac } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { TurnClient, TurnClientContext } from '../../../src/bench/turn-client.ts';
import { u16 } from '../../../src/wire/bytes.ts';
import { EndpointBook } from '../../../src/wire/endpoint.ts';
import * as stun from '../../../src/wire/stun.ts';
import { type Hmac, StunWriter, verifyIntegrity } from '../../../src/wire/stun-writer.ts';

const CREDENTIALS = { name: 'alice', password: 'secret' };
const KEY = createHash('md5').update('alice:TANDBERG:secret').digest();
const CHANNEL = 0x4abc;

const hmac: Hmac = (algorithm, key, bytes, offset, length) =>
  createHmac(algorithm, key)
    .update(bytes.subarray(offset, offset + length))
    .digest();
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

let book: EndpointBook;
let relay: number;

beforeEach(() => {
  book = new EndpointBook(64, 0);
  relay = book.acquire();
  book.setText(relay, '192.0.2.7', 24_001);
});

function client(credentials: typeof CREDENTIALS | undefined, peerAddress = '192.0.2.9'): TurnClient {
  const peer = book.acquire();
  book.setText(peer, peerAddress, 5004);
  return new TurnClient(new TurnClientContext(book, credentials), peer, CHANNEL);
}

/** The request under way, parsed; the attributes a server knows are understood. */
function requestOf(turn: TurnClient): stun.StunReader {
  const reader = new stun.StunReader([0x06, 0x0c, 0x0d, 0x12, 0x14, 0x15, 0x17, 0x19]);
  expect(reader.parse(turn.request, 0, turn.request.length)).toBe(stun.STUN_OK);
  expect(reader.unknownCount).toBe(0);
  return reader;
}

function answer(turn: TurnClient, messageClass: number, fill: (writer: StunWriter) => void): Uint8Array {
  const writer = new StunWriter(new Uint8Array(512));
  writer.begin(0, requestOf(turn).method, messageClass).answering(turn.request, 0, false);
  fill(writer);
  return writer.bytes.slice(0, writer.length);
}

const deliver = (turn: TurnClient, message: Uint8Array): string => turn.receive(message, 0, message.length);

const refuse = (turn: TurnClient, code: number, nonce?: string): Uint8Array =>
  answer(turn, stun.CLASS_ERROR, (writer) => {
    writer.errorCode(code);
    if (nonce === undefined) return;
    writer.attribute(stun.ATTR_REALM, text('TANDBERG')).attribute(stun.ATTR_NONCE, text(nonce));
  });

const grant = (turn: TurnClient, key?: Uint8Array): Uint8Array =>
  answer(turn, stun.CLASS_SUCCESS, (writer) => {
    writer.xorAddress(stun.ATTR_XOR_RELAYED_ADDRESS, book, relay).attributeU32(stun.ATTR_LIFETIME, 600);
    if (key) writer.integrity('sha1', key, hmac);
  });

describe('without authentication', () => {
  test('an Allocate asks for UDP, and its success response gives the relay', () => {
    const turn = client(undefined);
    turn.begin('allocate');
    const request = requestOf(turn);
    expect([request.method, request.messageClass]).toEqual([stun.METHOD_ALLOCATE, stun.CLASS_REQUEST]);
    expect(request.bytes[request.value(stun.ATTR_REQUESTED_TRANSPORT)]).toBe(17);
    expect(request.has(stun.ATTR_REQUESTED_ADDRESS_FAMILY)).toBe(false);
    expect(deliver(turn, grant(turn))).toBe('done');
    expect(book.equals(turn.relay, relay)).toBe(true);
  });

  test('an IPv6 peer makes it ask for an IPv6 relay', () => {
    const turn = client(undefined, '2001:db8::1');
    turn.begin('allocate');
    const request = requestOf(turn);
    expect(request.bytes[request.value(stun.ATTR_REQUESTED_ADDRESS_FAMILY)]).toBe(stun.FAMILY_IPV6);
  });

  test('a channel is bound with its number and the peer', () => {
    const turn = client(undefined);
    turn.begin('bindChannel');
    const request = requestOf(turn);
    const peer = book.acquire();
    expect(u16(request.bytes, request.value(stun.ATTR_CHANNEL_NUMBER))).toBe(CHANNEL);
    expect(stun.readXorAddress(request.bytes, 0, request.value(stun.ATTR_XOR_PEER_ADDRESS), book, peer)).toBe(
      true,
    );
    expect(book.text(peer)).toBe('192.0.2.9:5004');
  });

  test('a 401 without credentials to answer it fails', () => {
    const turn = client(undefined);
    turn.begin('allocate');
    expect(deliver(turn, refuse(turn, 401, 'n1'))).toBe('failed');
    expect(turn.failure).toBe('allocate: error 401');
  });

  test('a response to another request, or after the end, changes nothing', () => {
    const turn = client(undefined);
    turn.begin('allocate');
    const old = grant(turn);
    turn.begin('allocate');
    expect(deliver(turn, old)).toBe('unrelated');
    const current = grant(turn);
    expect(deliver(turn, current)).toBe('done');
    expect(deliver(turn, current)).toBe('unrelated');
  });

  test('a success response without a relayed address fails', () => {
    const turn = client(undefined);
    turn.begin('allocate');
    expect(
      deliver(
        turn,
        answer(turn, stun.CLASS_SUCCESS, () => {}),
      ),
    ).toBe('failed');
    expect(turn.relay).toBe(-1);
  });

  test('a release of what the server has forgotten is done', () => {
    const turn = client(undefined);
    turn.begin('release');
    const request = requestOf(turn);
    expect(request.method).toBe(stun.METHOD_REFRESH);
    expect(deliver(turn, refuse(turn, 437))).toBe('done');
  });

  test('a refusal is told with code and operation', () => {
    const turn = client(undefined);
    turn.begin('allocate');
    expect(deliver(turn, refuse(turn, 486))).toBe('failed');
    expect([turn.failureCode, turn.failure]).toEqual([486, 'allocate: error 486']);
  });
});

describe('with long-term credentials', () => {
  /** A client that has met the challenge and is about to be granted its allocation. */
  function challenged(): TurnClient {
    const turn = client(CREDENTIALS);
    turn.begin('allocate');
    expect(requestOf(turn).has(stun.ATTR_USERNAME)).toBe(false);
    expect(deliver(turn, refuse(turn, 401, 'n1'))).toBe('again');
    return turn;
  }

  test('a 401 is answered with user name, realm, nonce and integrity', () => {
    const request = requestOf(challenged());
    expect(request.text(stun.ATTR_USERNAME)).toBe('alice');
    expect(request.text(stun.ATTR_REALM)).toBe('TANDBERG');
    expect(request.text(stun.ATTR_NONCE)).toBe('n1');
    expect(verifyIntegrity('sha1', KEY, request.bytes, 0, request.integrityOffset, hmac)).toBe(true);
  });

  test('a stale nonce is replaced, and later requests use the new one', () => {
    const turn = challenged();
    expect(deliver(turn, refuse(turn, 438, 'n2'))).toBe('again');
    expect(requestOf(turn).text(stun.ATTR_NONCE)).toBe('n2');
    expect(deliver(turn, grant(turn, KEY))).toBe('done');
    turn.begin('refresh');
    expect(requestOf(turn).text(stun.ATTR_NONCE)).toBe('n2');
  });

  test('a second 401 is a wrong password', () => {
    const turn = challenged();
    expect(deliver(turn, refuse(turn, 401, 'n2'))).toBe('failed');
  });

  test('endless new nonces are given up', () => {
    const turn = challenged();
    const outcomes = ['a', 'b', 'c'].map((nonce) => deliver(turn, refuse(turn, 438, nonce)));
    expect(outcomes).toEqual(['again', 'again', 'failed']);
  });

  test('a response whose integrity is absent or wrong is as if it had not come', () => {
    const turn = challenged();
    expect(deliver(turn, grant(turn))).toBe('unrelated');
    expect(deliver(turn, grant(turn, text('wrong key')))).toBe('unrelated');
    expect(deliver(turn, grant(turn, KEY))).toBe('done');
  });
});
