// An OPC UA server that shares no code with the collector; every value is a pure function of tag and tick.
//
// node speed_server.mjs '<json>' with port, tags, period_ms, per_publish (values an answer to Publish may
// hold; node-opcua's own limit is 1,000), history_tags, history_values, certificate, key, pki.
// It offers None and Basic256Sha256 SignAndEncrypt. Tick n of a live tag is stamped t0 + n * period_ms and
// never skipped: a late one follows at once. History tags hold ticks 0 … history_values - 1.
// Prints a JSON line when it listens, and one a second: ticks, own CPU seconds, ticks that came late.
import opcua from "node-opcua";

const options = JSON.parse(process.argv[2]);
const { DataType, DataValue, StatusCodes, Variant } = opcua;
const NAMESPACE = "urn:chemlink:speed";
const PAGE = 100_000;

// The same in benchmarks/speed_source.py.
const valueOf = (tag, n) => tag + ((n * 7919 + tag * 104729) % 65536) / 64;

opcua.Subscription.maxNotificationPerPublishHighLimit = options.per_publish ?? 1000;
const manager = new opcua.OPCUACertificateManager({
  rootFolder: options.pki, automaticallyAcceptUnknownCertificate: true,
});
await manager.initialize();
const server = new opcua.OPCUAServer({
  hostname: "127.0.0.1",
  alternateHostname: ["127.0.0.1", "localhost"],
  port: options.port,
  allowAnonymous: true,
  nodeset_filename: [opcua.nodesets.standard],
  serverInfo: { applicationUri: `${NAMESPACE}:server` },
  serverCapabilities: { minSupportedSampleRate: 0, maxSessions: 20 },
  securityModes: [opcua.MessageSecurityMode.None, opcua.MessageSecurityMode.SignAndEncrypt],
  securityPolicies: [opcua.SecurityPolicy.None, opcua.SecurityPolicy.Basic256Sha256],
  certificateFile: options.certificate,
  privateKeyFile: options.key,
  serverCertificateManager: manager,
});
await server.initialize();

const space = server.engine.addressSpace;
const namespace = space.registerNamespace(NAMESPACE);
const folder = namespace.addFolder(space.rootFolder.objects, { browseName: "Speed" });
const t0 = Math.ceil(Date.now() / 1000) * 1000 + 1000;

const variables = Array.from({ length: options.tags }, (_, tag) => namespace.addVariable({
  organizedBy: folder,
  browseName: `T${tag}`,
  nodeId: `s=T${tag}`,
  dataType: "Double",
  minimumSamplingInterval: 0,
}));

function sample(tag, n) {
  return new DataValue({
    value: new Variant({ dataType: DataType.Double, value: valueOf(tag, n) }),
    statusCode: StatusCodes.Good,
    sourceTimestamp: new Date(t0 + n * options.period_ms),
    sourcePicoseconds: 0,
  });
}

// Made once, so that the server's own speed does not decide how long a read takes.
const past = Array.from({ length: options.history_tags ?? 0 }, (_, tag) =>
  Array.from({ length: options.history_values }, (_, n) => sample(tag, n)));

function readHistory(tag, details, continuation, release) {
  if (release) return new opcua.HistoryReadResult({ statusCode: StatusCodes.Good });
  const begin = continuation?.length
    ? continuation.readUInt32LE(0)
    : Math.max(0, Math.ceil((details.startTime.getTime() - t0) / options.period_ms));
  const end = Math.min(past[tag].length, Math.ceil((details.endTime.getTime() - t0) / options.period_ms));
  const until = Math.min(end, begin + Math.min(PAGE, details.numValuesPerNode || PAGE));
  const result = {
    statusCode: begin < until ? StatusCodes.Good : StatusCodes.GoodNoData,
    historyData: new opcua.HistoryData({ dataValues: past[tag].slice(begin, Math.max(begin, until)) }),
  };
  if (until < end) {
    result.continuationPoint = Buffer.alloc(4);
    result.continuationPoint.writeUInt32LE(until, 0);
  }
  return new opcua.HistoryReadResult(result);
}

past.forEach((_, tag) => {
  const variable = namespace.addVariable({
    organizedBy: folder,
    browseName: `H${tag}`,
    nodeId: `s=H${tag}`,
    dataType: "Double",
    accessLevel: "CurrentRead | HistoryRead",
    userAccessLevel: "CurrentRead | HistoryRead",
  });
  variable.historizing = true;
  variable._historyRead = (_context, details, _range, _encoding, asked, done) =>
    done(null, readHistory(tag, details, asked.continuationPoint, asked.releaseContinuationPoints));
});
await server.start();
console.log(JSON.stringify({ t0_ms: t0, namespace: namespace.index }));

let n = 0;
let late = 0;

function produce() {
  for (let tag = 0; tag < variables.length; tag++) variables[tag]._internal_set_dataValue(sample(tag, n));
  n += 1;
  const wait = t0 + n * options.period_ms - Date.now();
  if (wait < -options.period_ms) late += 1;
  if (wait > 0) setTimeout(produce, wait); else setImmediate(produce);
}
if (variables.length) setTimeout(produce, Math.max(0, t0 - Date.now()));
setInterval(() => {
  const used = process.cpuUsage();
  console.log(JSON.stringify({ ticks: n, cpu_s: (used.user + used.system) / 1e6, late }));
}, 1000);
