import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../kit/engine-probe.ts';
import { channelData, onStream, StreamBench, stun } from './stream-bench.ts';
import { ONE, TWO } from './stream-certificates.ts';

let bench: StreamBench;

beforeEach(() => {
  bench = new StreamBench();
});

afterEach(() => bench.end());

describe('a TLS client', () => {
  it('is heard and answered like any other, over a connection that verifies', async () => {
    const listener = await bench.listen(ONE);
    expect(listener.protocol).toBe('tls');
    const client = await bench.tlsClient(listener, {
      ca: ONE.certificate,
      servername: 'one.causeway.test',
      rejectUnauthorized: true,
    });
    expect(client.socket.authorized).toBe(true);
    bench.core.onPacket = (_tag, socket, offset, length, source) =>
      bench.io.send(socket, offset, length, source);
    const stream = Buffer.concat([stun(4), onStream(channelData(5)), onStream(channelData(20_002))]);
    client.socket.write(stream.subarray(0, 30));
    client.socket.write(stream.subarray(30));
    await until('the answers arrive', () => client.received.length >= stream.length);
    expect(client.received.equals(stream)).toBe(true);
    expect(bench.core.packets[0]?.source).toBe(`127.0.0.1:${client.socket.localPort}`);
    client.socket.end();
    await until('its end is told', () => bench.core.closed.length === 1);
    expect(bench.io.connections).toBe(0);
    expect(bench.counted('streamsHandshakeFailed')).toBe(0);
  });

  it('speaks TLS 1.2 at least', async () => {
    const listener = await bench.listen(ONE);
    const versions = { minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await (await bench.tlsClient(listener, { ...versions, maxVersion: 'TLSv1.1' })).closed();
    expect(bench.counted('streamsHandshakeFailed')).toBe(1);
    const client = await bench.tlsClient(listener, { ...versions, maxVersion: 'TLSv1.2' });
    expect(client.socket.getProtocol()).toBe('TLSv1.2');
  });

  it('that speaks no TLS is closed', async () => {
    const listener = await bench.listen(ONE);
    const client = await bench.client(listener);
    client.socket.write(stun());
    await client.closed();
    await until('it is forgotten', () => bench.io.connections === 0);
    expect(bench.core.packets).toEqual([]);
    expect(bench.core.closed).toEqual([]);
    expect(bench.counted('streamsHandshakeFailed')).toBe(1);
    expect(bench.io.halfOpenHandshakes).toBe(0);
  });

  it('on a port without TLS is closed at its first bytes', async () => {
    const client = await bench.tlsClient(await bench.listen());
    await client.closed();
    expect(bench.counted('streamsMalformed')).toBe(1);
  });
});

describe('half-open handshakes', () => {
  it('are limited in number, which other clients do not feel', async () => {
    bench.limits.halfOpenHandshakes = 2;
    const listener = await bench.listen(ONE);
    const plain = await bench.listen();
    await bench.client(listener);
    const second = await bench.client(listener);
    await until('two handshakes wait', () => bench.io.halfOpenHandshakes === 2);
    await (await bench.client(listener)).closed();
    expect(bench.counted('streamsRefused')).toBe(1);
    const other = await bench.client(plain);
    other.socket.write(stun());
    await until('a plain client is heard', () => bench.core.packets.length === 1);
    second.socket.destroy();
    await until('one has gone', () => bench.io.halfOpenHandshakes === 1);
    const client = await bench.tlsClient(listener);
    expect(client.socket.getProtocol()).toBe('TLSv1.3');
    await until('its handshake no longer counts', () => bench.io.halfOpenHandshakes === 1);
  });

  it('are limited in time', async () => {
    const listener = await bench.listen(ONE);
    const halfOpen = await bench.client(listener);
    halfOpen.socket.write(Buffer.from('160301', 'hex'));
    const done = await bench.tlsClient(listener);
    await until('only one handshake waits', () => bench.io.halfOpenHandshakes === 1);
    expect(bench.io.connections).toBe(2);
    bench.advance(bench.limits.handshakeMs);
    expect(bench.io.connections).toBe(2);
    bench.advance(1);
    await halfOpen.closed();
    expect(done.isClosed).toBe(false);
    expect(bench.counted('streamsTimedOut')).toBe(1);
    expect(bench.io.halfOpenHandshakes).toBe(0);
  });
});

describe('the certificate', () => {
  it('can be renewed without harm to connections that stand', async () => {
    const listener = await bench.listen(ONE);
    const before = await bench.tlsClient(listener);
    listener.reload(TWO);
    const after = await bench.tlsClient(listener);
    expect(before.socket.getPeerCertificate().subject.CN).toBe('one.causeway.test');
    expect(after.socket.getPeerCertificate().subject.CN).toBe('two.causeway.test');
    before.socket.write(stun());
    await until('the old connection is heard', () => bench.core.packets.length === 1);
  });

  it('must be one, and fit its key', async () => {
    await expect(bench.listen({ certificate: 'no PEM', key: ONE.key })).rejects.toThrow(
      'the TLS certificate and key cannot be used: ',
    );
    const listener = await bench.listen(ONE);
    expect(() => listener.reload({ certificate: TWO.certificate, key: ONE.key })).toThrow(
      'key values mismatch',
    );
    const client = await bench.tlsClient(listener);
    expect(client.socket.getPeerCertificate().subject.CN).toBe('one.causeway.test');
  });
});
