import { beforeEach, describe, expect, it } from 'vitest';
import { decode, errorCode } from '../../../lab/phone/plain-stun.ts';
import { allocate, createPermission } from '../../fuzz/client-messages.ts';
import { CoreRig } from '../../fuzz/core-rig.ts';
import { source } from '../../fuzz/fuzz-io.ts';
import { SEED } from '../../fuzz/seeded.ts';

const CLIENT = source('192.0.2.1', 5001);
const peers = (count: number): ReturnType<typeof source>[] =>
  Array.from({ length: count }, (_, i) => source(`203.0.113.${1 + i}`, 7000));

describe('CreatePermission with many peers', () => {
  let rig: CoreRig;

  beforeEach(() => {
    rig = new CoreRig({
      seed: SEED,
      settings: { authentication: false },
      limits: { permissionsPerRelay: 100 },
    });
    codeOf(allocate(rig.random, undefined));
  });

  /** Error code of the answer, 0 for success. */
  function codeOf(request: Buffer): number {
    let code = -1;
    rig.io.onSent = (_socket, bytes) => {
      code = errorCode(decode(bytes));
    };
    rig.batch(() => rig.io.deliver(rig.udp4, request, CLIENT));
    return code;
  }

  it('grants as many as a request can name, and 508 beyond', () => {
    expect(codeOf(createPermission(rig.random, undefined, peers(65)))).toBe(508);
    expect(rig.core.allocations.permissions.size).toBe(0);
    expect(codeOf(createPermission(rig.random, undefined, peers(64)))).toBe(0);
    expect(rig.core.allocations.permissions.size).toBe(64);
  });

  it('grants all or none', () => {
    expect(codeOf(createPermission(rig.random, undefined, [...peers(3), source('10.0.0.1', 1)]))).toBe(403);
    expect(codeOf(createPermission(rig.random, undefined, [...peers(3), source('2001:db8:7::1', 1)]))).toBe(
      443,
    );
    expect(rig.core.allocations.permissions.size).toBe(0);
    rig.expectNothingLost();
  });
});
