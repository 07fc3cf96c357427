import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { effectiveConfigYaml } from '../../../src/config/effective.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { MASK, maskSecrets } from '../../../src/config/secrets.ts';

describe('effectiveConfigYaml', () => {
  it.each([
    ['the defaults', ''],
    ['a range of ports', 'turn: { requestsPortRange: [3478, 3483] }'],
    [
      'IPv6',
      'turn: { listenAddresses: ["::1"] }\nadmin: { http: "[::1]:8080" }\nb2bua: { ng: "[::1]:2223" }',
    ],
    ['a node without B2BUA', 'b2bua: { services: false, offerTimeoutSeconds: 240 }'],
    ['TLS and zones', 'turn: { tls: { certificate: c, key: k } }\nb2bua: { zones: [{ id: 1, name: z }] }'],
    [
      'names that look like other types',
      'turn: { realm: "yes", relayAddresses: ["2001:db8::1"] }\nnode: { name: "007" }',
    ],
  ])('is itself a configuration that means the same: %s', (_what, text) => {
    const config = loadConfig(text, 'x');
    expect(loadConfig(effectiveConfigYaml(config), 'y')).toEqual(config);
  });

  it('masks every secret', () => {
    const config = loadConfig(
      'node: { peers: [{ name: e, url: "http://e", token: hunter2 }] }\n' +
        'turn: { sharedSecret: hunter2, credentials: [{ name: alice, password: hunter2 }] }\n' +
        'admin: { token: hunter2 }',
      'x',
    );
    const text = effectiveConfigYaml(config);
    expect(text).not.toContain('hunter2');
    const shown = parse(text) as {
      node: { peers: unknown };
      turn: { sharedSecret: unknown; credentials: unknown };
      admin: unknown;
    };
    expect(shown.node.peers).toEqual([{ name: 'e', url: 'http://e', token: MASK }]);
    expect(shown.turn.credentials).toEqual([{ name: 'alice', password: MASK }]);
    expect(shown.turn.sharedSecret).toBe(MASK);
    expect(shown.admin).toEqual({ http: '127.0.0.1:8080', token: MASK });
  });

  it('shows that a secret is not set', () => {
    expect(effectiveConfigYaml(loadConfig(undefined, 'x'))).toMatch(/sharedSecret: null[\s\S]*token: null/);
  });
});

describe('maskSecrets', () => {
  it('masks by key and by content, at any depth, and keeps the rest', () => {
    const error = new Error('kept');
    const given = {
      a: [{ b: { token: 't', name: 'n' } }],
      pem: '-----BEGIN RSA PRIVATE KEY-----\nx',
      error,
      port: 1,
    };
    expect(maskSecrets(given)).toEqual({ a: [{ b: { token: MASK, name: 'n' } }], pem: MASK, error, port: 1 });
    expect(given.a[0]?.b.token).toBe('t');
  });

  it('ends on an object that holds itself', () => {
    const circle: Record<string, unknown> = { password: 'p' };
    circle.self = circle;
    expect(JSON.stringify(maskSecrets(circle))).not.toContain('"p"');
  });
});
