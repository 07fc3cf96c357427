/**
 * Runs inside the browser: two RTCPeerConnections of one page that may use relayed candidates
 * only, and a data channel message there and back.
 *
 * Result: { echo: the text that came back or null, pairs: per connection the selected candidates'
 * types, the protocol to the TURN server and the bytes, candidates: all that were gathered,
 * errors: codes and texts of the ICE candidate errors }.
 */
globalThis.relayRoundTrip = async ({ url, username, credential, timeoutMs }) => {
  const configuration = {
    iceServers: [{ urls: url, username, credential }],
    iceTransportPolicy: 'relay',
  };
  const offerer = new RTCPeerConnection(configuration);
  const answerer = new RTCPeerConnection(configuration);
  const candidates = [];
  const errors = [];
  for (const [one, other] of [
    [offerer, answerer],
    [answerer, offerer],
  ]) {
    one.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) candidates.push(candidate.candidate);
      // One that comes before the other side's description is part of that description.
      other.addIceCandidate(candidate).catch(() => {});
    };
    one.onicecandidateerror = ({ errorCode, errorText }) => errors.push(`${errorCode} ${errorText}`);
  }

  const channel = offerer.createDataChannel('interop');
  const answered = new Promise((resolve) => {
    channel.onmessage = ({ data }) => resolve(data);
  });
  channel.onopen = () => channel.send('hello');
  answerer.ondatachannel = ({ channel: far }) => {
    far.onmessage = ({ data }) => far.send(`${data} yourself`);
  };
  const gatheredWithoutRelay = new Promise((resolve) => {
    offerer.onicegatheringstatechange = () => {
      if (offerer.iceGatheringState === 'complete' && candidates.length === 0) resolve(null);
    };
  });

  await offerer.setLocalDescription();
  await answerer.setRemoteDescription(offerer.localDescription);
  await answerer.setLocalDescription();
  await offerer.setRemoteDescription(answerer.localDescription);
  const timeout = new Promise((resolve) => setTimeout(resolve, timeoutMs, null));
  const echo = await Promise.race([answered, gatheredWithoutRelay, timeout]);

  const pairs = [];
  for (const connection of [offerer, answerer]) {
    const stats = new Map([...(await connection.getStats())]);
    for (const transport of stats.values()) {
      const pair = transport.type === 'transport' ? stats.get(transport.selectedCandidatePairId) : undefined;
      if (pair === undefined) continue;
      const local = stats.get(pair.localCandidateId);
      const remote = stats.get(pair.remoteCandidateId);
      pairs.push({
        local: local.candidateType,
        remote: remote.candidateType,
        relayProtocol: local.relayProtocol,
        bytesSent: pair.bytesSent,
        bytesReceived: pair.bytesReceived,
      });
    }
    connection.close();
  }
  return { echo, pairs, candidates, errors };
};
