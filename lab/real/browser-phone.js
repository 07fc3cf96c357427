/**
 * A WebRTC phone, run inside the browser. It says a tone (Opus, DTLS-SRTP) and listens to the other's. Candidates
 * are relayed ones alone. What it answers has the shapes of lab/phone/protocol.ts.
 */

/** After the first relay; others may still come, but a server that does not answer over UDP takes 10 s to give up. */
const GATHERING_MS = 500;
/** 48 kHz: a window of 0.34 s in steps of 2.9 Hz. */
const FFT_SIZE = 16_384;
const LOUD_DB = -60;
/** So much of the energy within 3 steps of the strongest frequency makes it a tone. */
const TONE_SHARE_MIN = 0.8;
const NEAR_STEPS = 3;

let connection;
let audio;
let ear;
const candidates = [];
const errors = [];
let heard = { packets: 0, atMs: undefined };

globalThis.browserPhone = {
  open({ urls, username, credential, toneHz }) {
    connection = new RTCPeerConnection({
      iceServers: [{ urls, username, credential }],
      iceTransportPolicy: 'relay',
    });
    connection.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate?.component === 'rtp') candidates.push(place(candidate));
    });
    connection.addEventListener('icecandidateerror', ({ errorCode, errorText }) =>
      errors.push(`${errorCode} ${errorText}`),
    );
    connection.addEventListener('track', ({ streams: [stream] }) => listen(stream));
    audio = new AudioContext();
    const voice = new OscillatorNode(audio, { frequency: toneHz });
    const microphone = audio.createMediaStreamDestination();
    voice.connect(new GainNode(audio, { gain: 0.3 })).connect(microphone);
    voice.start();
    connection.addTrack(microphone.stream.getAudioTracks()[0], microphone.stream);
  },

  async offer() {
    await connection.setLocalDescription();
    return gathered();
  },

  async answer(sdp) {
    await connection.setRemoteDescription({ type: 'offer', sdp });
    await connection.setLocalDescription();
    return gathered();
  },

  accept(sdp) {
    return connection.setRemoteDescription({ type: 'answer', sdp });
  },

  async status() {
    const stats = new Map([...(await connection.getStats())]);
    const find = (type) => [...stats.values()].find((one) => one.type === type);
    const pair = stats.get(find('transport')?.selectedCandidatePairId);
    const received = find('inbound-rtp');
    const packets = received?.packetsReceived ?? 0;
    if (packets > heard.packets) heard = { packets, atMs: performance.now() };
    const reports = find('remote-inbound-rtp');
    return {
      ice: iceState(pair),
      selected: pair
        ? { local: place(stats.get(pair.localCandidateId)), remote: place(stats.get(pair.remoteCandidateId)) }
        : null,
      candidates,
      sentPackets: find('outbound-rtp')?.packetsSent ?? 0,
      heardPackets: packets,
      lostPackets: Math.max(0, received?.packetsLost ?? 0),
      garbledPackets: 0,
      jitterMs: 1000 * (received?.jitter ?? 0),
      silentMs: heard.atMs === undefined ? null : performance.now() - heard.atMs,
      heardToneHz: ear ? toneIn(ear) : null,
      rtcpSent: 0,
      rtcpHeard: (reports?.roundTripTimeMeasurements ?? 0) + (find('remote-outbound-rtp')?.reportsSent ?? 0),
      reportedLossPercent: reports ? 100 * reports.fractionLost : null,
      heardFrom: null,
    };
  },

  async close() {
    connection.close();
    await audio.close();
  },
};

/** The description with its candidates, when there are any. */
async function gathered() {
  const complete = new Promise((resolve) => {
    connection.addEventListener('icegatheringstatechange', () => {
      if (connection.iceGatheringState === 'complete') resolve();
    });
  });
  const enough = new Promise((resolve) => {
    connection.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate?.candidate) setTimeout(resolve, GATHERING_MS);
    });
  });
  await Promise.race([complete, enough]);
  if (candidates.length === 0)
    throw new Error(`no relay: ${errors.at(-1) ?? 'the TURN server does not answer'}`);
  return connection.localDescription.sdp;
}

function iceState(pair) {
  const { iceConnectionState: state } = connection;
  if (state === 'failed' || state === 'closed') return 'failed';
  return pair && (state === 'connected' || state === 'completed') ? 'concluded' : 'checking';
}

/** A candidate, of an event or of the statistics. */
function place(candidate) {
  const type = candidate.candidateType ?? candidate.type;
  return { address: candidate.address, port: candidate.port, type };
}

function listen(stream) {
  // A remote stream flows into Web Audio only where an element plays it too.
  const loudspeaker = new Audio();
  loudspeaker.muted = true;
  loudspeaker.srcObject = stream;
  void loudspeaker.play();
  ear = new AnalyserNode(audio, { fftSize: FFT_SIZE, smoothingTimeConstant: 0 });
  new MediaStreamAudioSourceNode(audio, { mediaStream: stream }).connect(ear);
}

/** Hz of the tone that is heard now; null where that is none. */
function toneIn(analyser) {
  const levels = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(levels);
  const strongest = levels.indexOf(Math.max(...levels));
  if (!(levels[strongest] > LOUD_DB)) return null;
  const energies = levels.map((level) => 10 ** (level / 10));
  const sum = (values) => values.reduce((total, one) => total + one, 0);
  const near = energies.slice(Math.max(0, strongest - NEAR_STEPS), strongest + NEAR_STEPS + 1);
  if (sum(near) < TONE_SHARE_MIN * sum(energies)) return null;
  return Math.round((strongest * analyser.context.sampleRate) / FFT_SIZE);
}
