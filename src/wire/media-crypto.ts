/**
 * Ciphers over packets that lie in the slab of a `DatagramIo`: the second waist, between the SRTP of
 * `b2bua` and whatever computes. An engine that knows where its slab lies gives OpenSSL through FFI,
 * any other has `node:crypto`. Keys are set once; the FFI way allocates nothing per packet.
 *
 * Offsets count from the start of the slab. Ciphers work in place and may use the bytes around what they
 * are given: those in front are afterwards as they were, those behind are undefined.
 */

/** HMAC-SHA1 may overwrite so many bytes behind the message it signs: trailer, padding, length. */
export const HMAC_ROOM_BYTES = 80;
/** AES may overwrite so many bytes behind the text: the rest of its last block, GCM's tag and lengths. */
export const CIPHER_ROOM_BYTES = 32;
/** GCM may use so many bytes in front of the additional data. */
export const AEAD_HEADROOM_BYTES = 20;
export const AEAD_TAG_BYTES = 16;

export interface MediaCrypto {
  readonly kind: 'openssl' | 'node';
  /**
   * Initialisation vector of the next operation, 16 bytes. Written by the caller, kept by counter mode;
   * GCM uses the first 12 and overwrites the others.
   */
  readonly iv: Uint8Array;
  /** Result of the last {@link PacketHmac.sign}: five words, the first 4 bytes of the digest in the first. */
  readonly digest: Int32Array;

  /** AES in counter mode. `key`: 16, 24 or 32 bytes. */
  counterMode(key: Uint8Array): CounterModeCipher;
  /** AES-GCM with a tag of {@link AEAD_TAG_BYTES}. `key`: 16 or 32 bytes. */
  aead(key: Uint8Array): AeadCipher;
  /** `key`: at most 64 bytes. */
  hmacSha1(key: Uint8Array): PacketHmac;
}

export interface CounterModeCipher {
  /** Encrypts or decrypts, with the counter block in {@link MediaCrypto.iv}. */
  transform(offset: number, length: number): void;
  /** Forgets the key; the cipher must not be used any more. */
  free(): void;
}

/**
 * Additional data are the `aadLength` bytes (8 or more) in front of the text, followed, where `hasAadWord`,
 * by the 32 bits of `aadWord` (SRTCP's E flag and index, RFC 7714 §9.2).
 */
export interface AeadCipher {
  /** Encrypts `length` bytes at `offset` and writes the tag behind. */
  seal(offset: number, length: number, aadLength: number, hasAadWord: boolean, aadWord: number): void;
  /**
   * Checks the tag that stands behind the `length` bytes of ciphertext at `offset` and decrypts them; false
   * if it is wrong, and then text and tag are as they were.
   */
  open(offset: number, length: number, aadLength: number, hasAadWord: boolean, aadWord: number): boolean;
  free(): void;
}

export interface PacketHmac {
  /**
   * HMAC-SHA1 of `length` bytes at `offset` followed, where `hasTrailer`, by the 32 bits of `trailer` (the
   * ROC, RFC 3711 §4.2), into {@link MediaCrypto.digest}. The {@link HMAC_ROOM_BYTES} behind the message
   * are undefined afterwards: what stands there must have been read before.
   */
  sign(offset: number, length: number, hasTrailer: boolean, trailer: number): void;
  free(): void;
}
