/** Published test vectors of SRTP, in hexadecimal. */

interface KeystreamVector {
  readonly source: string;
  readonly key: string;
  /** The first and the last three blocks. */
  readonly first: string;
  readonly last: string;
}

interface KeyDerivationVector {
  readonly source: string;
  readonly suite: string;
  readonly masterKey: string;
  readonly masterSalt: string;
  readonly cipherKey: string;
  readonly salt: string;
  readonly authenticationKey: string;
}

/** What the session key makes of a packet. */
interface GcmVector {
  readonly source: string;
  readonly key: string;
  readonly protected: string;
}

interface LibsrtpVector {
  readonly source: string;
  readonly suite: string;
  readonly masterKey: string;
  readonly masterSalt: string;
  readonly protected: string;
}

/** AES in counter mode: RFC 3711 B.2; RFC 6188 §7.3 and §7.1. All from the counter block below, over 65,282 blocks. */
export const KEYSTREAM_COUNTER = 'f0f1f2f3f4f5f6f7f8f9fafbfcfd0000';
export const KEYSTREAM_BLOCKS = 65_282;
export const KEYSTREAMS: readonly KeystreamVector[] = [
  {
    source: 'RFC 3711 B.2, AES-128',
    key: '2b7e151628aed2a6abf7158809cf4f3c',
    first:
      'e03ead0935c95e80e166b16dd92b4eb4' +
      'd23513162b02d0f72a43a2fe4a5f97ab' +
      '41e95b3bb0a2e8dd477901e4fca894c0',
    last:
      'ec8cdf7398607cb0f2d21675ea9ea1e4' +
      '362b7c3c6773516318a077d7fc5073ae' +
      '6a2cc3787889374fbeb4c81b17ba6c44',
  },
  {
    source: 'RFC 6188 §7.3, AES-192',
    key: 'eab234764e517b2d3d160d587d8c86219740f65f99b6bcf7',
    first:
      '35096cba4610028dc1b57503804ce37c' +
      '5de986291dcce161d5165ec4568f5c9a' +
      '474a40c77894bc17180202272a4c264d',
    last:
      'd108d1a31a00bad6367ec23eb044b415' +
      'c8f57129fdeb970b59f917b257662d4c' +
      'a5dab625811034e8cebdfeb6dc158dd3',
  },
  {
    source: 'RFC 6188 §7.1, AES-256',
    key: '57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98',
    first:
      '92bdd28a93c3f52511c677d08b5515a4' +
      '9da71b2378a854f67050756ded165bac' +
      '63c4868b7096d88421b563b8c94c9a31',
    last:
      'cea518c90fd91ced9cbb18c078a54711' +
      '3dbc4814f4da5f00a08772b63c6a046d' +
      '6eb246913062a16891433e97dd01a57f',
  },
];

/** Key derivation: RFC 3711 B.3 (of whose authentication key 20 bytes are used); RFC 6188 §7.4 and §7.2. */
export const KEY_DERIVATIONS: readonly KeyDerivationVector[] = [
  {
    source: 'RFC 3711 B.3, AES-128',
    suite: 'AES_CM_128_HMAC_SHA1_80',
    masterKey: 'e1f97a0d3e018be0d64fa32c06de4139',
    masterSalt: '0ec675ad498afeebb6960b3aabe6',
    cipherKey: 'c61e7a93744f39ee10734afe3ff7a087',
    salt: '30cbbc08863d8c85d49db34a9ae1',
    authenticationKey: 'cebe321f6ff7716b6fd4ab49af256a156d38baa4',
  },
  {
    source: 'RFC 6188 §7.4, AES-192',
    suite: 'AES_192_CM_HMAC_SHA1_80',
    masterKey: '73edc66c4fa15776fb57f9505c17136550ffda71f3e8e5f1',
    masterSalt: 'c8522f3acd4ce86d5add78edbb11',
    cipherKey: '31874736a8f1143870c26e4857d8a5b2c4a354407faadabb',
    salt: '2372b82d639b6d8503a47adc0a6c',
    authenticationKey: '355b10973cd95b9eacf4061c7e1a7151e7cfbfcb',
  },
  {
    source: 'RFC 6188 §7.2, AES-256',
    suite: 'AES_256_CM_HMAC_SHA1_80',
    masterKey: 'f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6',
    masterSalt: '3b04803de51ee7c96423ab5b78d2',
    cipherKey: '5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4',
    salt: 'fa31791685ca444a9e07c6c64e93',
    authenticationKey: 'fd9c32d39ed5fbb5a9dc96b30818454d1313dc05',
  },
];

/** RFC 7714 §16 and §17 give session keys: this salt, ROC 0, and these packets. */
export const GCM_SALT = '517569642070726f2071756f';
export const GCM_KEY_128 = '000102030405060708090a0b0c0d0e0f';
export const GCM_KEY_256 = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';
export const GCM_RTP: string =
  '8040f17b8041f8d35501a0b2' + '47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573';
export const GCM_SRTP: readonly GcmVector[] = [
  {
    source: 'RFC 7714 §16.1.1 and §16.1.2, AEAD_AES_128_GCM',
    key: GCM_KEY_128,
    protected:
      '8040f17b8041f8d35501a0b2' +
      'f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833' +
      '899d7f27beb16a9152cf765ee4390cce',
  },
  {
    source: 'RFC 7714 §16.2.1 and §16.2.2, AEAD_AES_256_GCM',
    key: GCM_KEY_256,
    protected:
      '8040f17b8041f8d35501a0b2' +
      '32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b' +
      '7aa3db36dfffd6b0f9bb7878d7a76c13',
  },
];
export const GCM_RTCP_INDEX = 0x5d4;
/** Length 000d, with which the published packets verify; the head of §17 prints another. */
export const GCM_RTCP: string =
  '81c8000d4d617273' +
  '4e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef';
export const GCM_SRTCP: readonly GcmVector[] = [
  {
    source: 'RFC 7714 §17.1, AEAD_AES_128_GCM',
    key: GCM_KEY_128,
    protected:
      '81c8000d4d617273' +
      '63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275b' +
      'c84aa45896cf4d2fc5abf87245d9eade800005d4',
  },
  {
    source: 'RFC 7714 §17.2, AEAD_AES_256_GCM',
    key: GCM_KEY_256,
    protected:
      '81c8000d4d617273' +
      'd50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad' +
      '1d1eb30c4446839f57ff6f6cb26ac3be800005d4',
  },
];
/** RFC 7714 §17.3: tagged, not encrypted. */
export const GCM_SRTCP_UNENCRYPTED: string = `${GCM_RTCP}841dd9683dd78ec92ae58790125f62b3000005d4`;

/** libsrtp, test/srtp_driver.c: srtp_validate and srtp_validate_aes_256. Sequence number 0x1234, the stream's first. */
export const LIBSRTP_PLAIN: string = `800f1234decafbadcafebabe${'ab'.repeat(16)}`;
export const LIBSRTP_PACKETS: readonly [LibsrtpVector, LibsrtpVector] = [
  {
    source: 'srtp_validate',
    suite: 'AES_CM_128_HMAC_SHA1_80',
    masterKey: 'e1f97a0d3e018be0d64fa32c06de4139',
    masterSalt: '0ec675ad498afeebb6960b3aabe6',
    protected: '800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb',
  },
  {
    source: 'srtp_validate_aes_256',
    suite: 'AES_256_CM_HMAC_SHA1_80',
    masterKey: 'f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6',
    masterSalt: '3b04803de51ee7c96423ab5b78d2',
    protected: '800f1234decafbadcafebabef1d9de17ff251ff1aa007774b0b4b40da08d9d9a5b3a55d8873b',
  },
];
/** The same, SRTCP of srtp_validate: index 1. */
export const LIBSRTP_RTCP_PLAIN: string = `81c8000bcafebabe${'ab'.repeat(16)}`;
export const LIBSRTP_RTCP_PROTECTED =
  '81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798';
