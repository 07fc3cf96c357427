/**
 * The innermost functions of the OpenSSL that is part of Node: AES, GHASH and SHA-1 in assembly. They are
 * what EVP ends in, take only pointers and lengths, and know no context: a packet needs two or three calls of
 * some 50 ns where EVP needs five of up to 110, and their keys lie where this process puts them, at addresses
 * that V8 passes on without allocating (see `memory.ts`), while those of EVP's contexts are out of its hands.
 *
 * OpenSSL promises nothing about them, so they are used only where all are there by name, OpenSSL itself finds
 * that the processor has their instructions, and known answers come out (`openssl-self-test.ts`).
 */
import process from 'node:process';
import { EngineUnavailableError } from '../engine.ts';
import type { Native } from './libc.ts';

/** struct aes_key_st: 60 words of schedule and the number of rounds. */
export const AES_SCHEDULE_BYTES = 244;
/** u128 Htable[16] */
export const GHASH_TABLE_BYTES = 256;
export const AES_BLOCK_BYTES = 16;
export const SHA1_BLOCK_BYTES = 64;
export const SHA1_STATE_WORDS = 5;

/** Arguments are addresses, but for `bits`, `blocks` and `length`. */
export interface OpenSslFunctions {
  /** Expands a key of `bits` bits; 0 if it could. */
  setEncryptKey(key: number, bits: number, schedule: number): number;
  /** Counter mode over whole blocks; only the lowest 32 bits of the counter count. `iv` stays as it is. */
  encryptCounter(from: number, to: number, blocks: number, schedule: number, iv: number): void;
  /** Makes the table of a hash key, given as two 64-bit words of the machine, the upper first. */
  initGhash(table: number, hashKey: number): void;
  /** Hashes `length` bytes, a multiple of 16, into `state` (16 bytes). */
  ghash(state: number, table: number, data: number, length: number): void;
  /** Hashes blocks of 64 bytes into `state`: five 32-bit words of the machine. */
  sha1Blocks(state: number, data: number, blocks: number): void;
}

/** What differs between processors. */
interface Processor {
  /** Name under which OpenSSL reports what it found of the processor, before `=`. */
  readonly capabilities: string;
  /** Bits that must be set in the first number there. */
  readonly needed: bigint;
  readonly setEncryptKey: string;
  readonly encryptCounter: string;
  readonly initGhash: string;
  readonly ghash: string;
}

const PROCESSORS: Readonly<Record<string, Processor>> = {
  x64: {
    // CPUID leaf 1, EDX below ECX: PCLMULQDQ, SSSE3, AES-NI.
    capabilities: 'OPENSSL_ia32cap',
    needed: (1n << 33n) | (1n << 41n) | (1n << 57n),
    setEncryptKey: 'aesni_set_encrypt_key',
    encryptCounter: 'aesni_ctr32_encrypt_blocks',
    initGhash: 'gcm_init_clmul',
    ghash: 'gcm_ghash_clmul',
  },
  arm64: {
    // ARMV8_AES, ARMV8_PMULL.
    capabilities: 'OPENSSL_armcap',
    needed: (1n << 2n) | (1n << 5n),
    setEncryptKey: 'aes_v8_set_encrypt_key',
    encryptCounter: 'aes_v8_ctr32_encrypt_blocks',
    initGhash: 'gcm_init_v8',
    ghash: 'gcm_ghash_v8',
  },
};

/** OPENSSL_INFO_CPU_SETTINGS of <openssl/crypto.h>. */
const INFO_CPU_SETTINGS = 1008;

/**
 * Resolves the functions.
 * @throws EngineUnavailableError where one is missing (another OpenSSL, or none that Node exports), or the
 *   processor lacks what they need.
 */
export function resolveOpenSsl(native: Native): OpenSslFunctions {
  const processor = PROCESSORS[process.arch];
  if (processor === undefined) throw new EngineUnavailableError(`OpenSSL on ${process.arch} is not known`);
  const info = native.resolve('str OPENSSL_info(int)') as (what: number) => string | null;
  requireCapabilities(processor, info(INFO_CPU_SETTINGS) ?? '');
  const { setEncryptKey, encryptCounter, initGhash, ghash } = processor;
  const functions: Readonly<Record<keyof OpenSslFunctions, unknown>> = {
    setEncryptKey: native.resolve(`int ${setEncryptKey}(uintptr_t, int, uintptr_t)`),
    encryptCounter: native.resolve(
      `void ${encryptCounter}(uintptr_t, uintptr_t, size_t, uintptr_t, uintptr_t)`,
    ),
    initGhash: native.resolve(`void ${initGhash}(uintptr_t, uintptr_t)`),
    ghash: native.resolve(`void ${ghash}(uintptr_t, uintptr_t, uintptr_t, size_t)`),
    sha1Blocks: native.resolve('void sha1_block_data_order(uintptr_t, uintptr_t, size_t)'),
  };
  return functions as OpenSslFunctions;
}

/** @throws EngineUnavailableError if `settings`, as OpenSSL reports them, lack what is needed */
function requireCapabilities(processor: Processor, settings: string): void {
  const found = new RegExp(`${processor.capabilities}=(0x[0-9a-f]+)`, 'i').exec(settings)?.[1];
  if (found === undefined || (BigInt(found) & processor.needed) !== processor.needed) {
    throw new EngineUnavailableError(`the processor lacks AES instructions that OpenSSL uses: ${settings}`);
  }
}
