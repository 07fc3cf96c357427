/** Why a packet was neither protected nor unprotected. All below 0: above are lengths. */

/** No RTP or RTCP packet, or too short to hold what its suite adds. */
export const SRTP_MALFORMED = -1;
/** The MKI is none of the keys'. */
export const SRTP_UNKNOWN_MKI = -2;
/** A packet of this index was there before. From a sender: a second one would be a two-time pad. */
export const SRTP_REPLAYED = -3;
/** The index is too far below the newest to tell whether it was there before, or before the first of all. */
export const SRTP_TOO_OLD = -4;
export const SRTP_AUTH_FAILED = -5;
/** As many SSRCs have used this key as have room ({@link SOURCES_MAX}). */
export const SRTP_TOO_MANY_SOURCES = -6;
/** The key has protected as many packets of the SSRC as it may: 2^48 of SRTP, 2^31 of SRTCP (RFC 3711 §9.2). */
export const SRTP_KEY_EXHAUSTED = -7;

/** SSRCs whose state is kept for one key. */
export const SOURCES_MAX = 32;
