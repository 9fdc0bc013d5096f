// An OPC UA server that shares no code with the collector: every value is a pure function of tag and tick.
//
// `node fault_server.js '<json>'` with port, t0_ms, step_ms, tags, page, journal, jumps, certificate, key, pki.
// Without a certificate it offers SecurityPolicy None alone, with one Basic256Sha256 SignAndEncrypt alone.
// Tick n is produced at t0_ms + n * step_ms by this machine's clock, late rather than never, and written to
// the journal with how many ms late; a restarted server answers for all ticks before, as a historian does that
// went on.
// `offset <ms>` on standard input steps the server's clock from the next tick on.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");
const opcua = require("node-opcua");

const NAMESPACE = "urn:chemlink:fault";
const { DataType, StatusCodes } = opcua;
const UNCERTAIN = StatusCodes.UncertainLastUsableValue;
const BAD = StatusCodes.BadSensorFailure;
const TYPES = { 22: DataType.Boolean, 23: DataType.Int32, 24: DataType.String };

const options = JSON.parse(process.argv[2]);
const jumps = options.jumps ?? []; // [first tick, offset in ms] in order
const journal = fs.openSync(options.journal, "a");
const variables = [];
let produced = 0; // ticks 0 … produced - 1 exist
let order = null; // ticks in order of their time, when the clock was stepped

// An answer to a Publish holds two ticks of all tags, as most servers would; node-opcua's own limit is 1,000 values.
opcua.Subscription.maxNotificationPerPublishHighLimit = Math.max(1000, 2 * options.tags);

// node-opcua 2.182 ends its process when a queue overflows at a value that is not Good; a server marks any.
opcua.MonitoredItem.prototype._setOverflowBit = function markOverflow(notification) {
  if (!Object.hasOwn(notification, "value")) return;
  const marked = opcua.StatusCode.makeStatusCode(notification.value.statusCode, "Overflow | InfoTypeDataValue");
  notification.value.statusCode = marked;
};

function dataTypeOf(tag) {
  return TYPES[tag % 25] ?? DataType.Double;
}

function valueOf(tag, n) {
  const mixed = (tag * 7919 + n * 104729 + 12345) % 1000003;
  switch (dataTypeOf(tag)) {
    case DataType.Boolean: return mixed % 2 === 1;
    case DataType.Int32: return mixed - 500000;
    case DataType.String: return `v${n}`;
    default: return mixed / 8;
  }
}

function statusOf(tag, n) {
  const chosen = (tag * 31 + n * 17) % 211;
  return chosen === 0 ? UNCERTAIN : chosen === 1 ? BAD : StatusCodes.Good;
}

function timeOf(n) {
  let offset = 0;
  for (const [first, milliseconds] of jumps) if (n >= first) offset = milliseconds;
  return options.t0_ms + n * options.step_ms + offset;
}

function sample(tag, n) {
  const at = new Date(timeOf(n));
  return new opcua.DataValue({
    value: { dataType: dataTypeOf(tag), value: valueOf(tag, n) },
    statusCode: statusOf(tag, n),
    sourceTimestamp: at,
    sourcePicoseconds: ((tag * 37 + n * 11) % 10000) * 100000, // 100 ns units below the millisecond
    serverTimestamp: at,
    serverPicoseconds: 0,
  });
}

function ordered() {
  if (order === null || order.length !== produced) {
    order = Array.from({ length: produced }, (_, n) => n).sort((a, b) => timeOf(a) - timeOf(b));
  }
  return order;
}

// The position of the first tick at or after an instant.
function positionAt(ms) {
  if (jumps.length === 0) {
    return Math.min(produced, Math.max(0, Math.ceil((ms - options.t0_ms) / options.step_ms)));
  }
  const ticks = ordered();
  let low = 0, high = ticks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (timeOf(ticks[middle]) < ms) low = middle + 1; else high = middle;
  }
  return low;
}

// The continuation point says the millisecond to go on from: right however many ticks came in between.
function readHistory(tag, details, continuationPoint, release) {
  const result = { historyData: new opcua.HistoryData({ dataValues: [] }), statusCode: StatusCodes.Good };
  if (release) return new opcua.HistoryReadResult(result);
  if (!(details instanceof opcua.ReadRawModifiedDetails) || details.isReadModified) {
    return new opcua.HistoryReadResult({ statusCode: StatusCodes.BadHistoryOperationUnsupported });
  }
  const from = continuationPoint?.length ? continuationPoint.readDoubleLE(0) : details.startTime.getTime();
  const begin = positionAt(from);
  const end = positionAt(details.endTime.getTime());
  const count = Math.min(options.page, details.numValuesPerNode || options.page, Math.max(0, end - begin));
  const ticks = jumps.length ? ordered() : null;
  const tickAt = (position) => (ticks ? ticks[position] : position);
  const values = [];
  for (let position = begin; position < begin + count; position++) values.push(sample(tag, tickAt(position)));
  if (begin + count < end) {
    result.continuationPoint = Buffer.alloc(8);
    result.continuationPoint.writeDoubleLE(timeOf(tickAt(begin + count)), 0);
  }
  result.historyData = new opcua.HistoryData({ dataValues: values });
  if (values.length === 0) result.statusCode = StatusCodes.GoodNoData;
  return new opcua.HistoryReadResult(result);
}

function addVariable(namespace, folder, tag) {
  const name = `T${String(tag).padStart(4, "0")}`;
  const variable = namespace.addVariable({
    organizedBy: folder,
    browseName: name,
    nodeId: `s=${name}`,
    dataType: dataTypeOf(tag),
    minimumSamplingInterval: 0,
    accessLevel: "CurrentRead | HistoryRead",
    userAccessLevel: "CurrentRead | HistoryRead",
  });
  variable.historizing = true;
  variable._historyRead = (_context, details, _range, _encoding, continuation, callback) =>
    callback(null, readHistory(tag, details, continuation.continuationPoint, continuation.releaseContinuationPoints));
  return variable;
}

function produce() {
  const due = Math.floor((Date.now() - options.t0_ms) / options.step_ms) + 1;
  while (produced < due) {
    const n = produced++;
    variables.forEach((variable, tag) => variable._internal_set_dataValue(sample(tag, n)));
    fs.writeSync(journal, `${n} ${Date.now() - options.t0_ms - n * options.step_ms}\n`);
  }
  const next = options.t0_ms + produced * options.step_ms;
  setTimeout(produce, Math.max(1, next - Date.now()));
}

async function security() {
  if (!options.certificate) {
    return { securityModes: [opcua.MessageSecurityMode.None], securityPolicies: [opcua.SecurityPolicy.None] };
  }
  const trusted = path.join(options.pki, "trusted", "certs");
  const manager = new opcua.OPCUACertificateManager({
    rootFolder: options.pki,
    automaticallyAcceptUnknownCertificate: false,
  });
  await manager.initialize();
  fs.copyFileSync(options.trusted, path.join(trusted, "collector.der"));
  return {
    securityModes: [opcua.MessageSecurityMode.SignAndEncrypt],
    securityPolicies: [opcua.SecurityPolicy.Basic256Sha256],
    certificateFile: options.certificate,
    privateKeyFile: options.key,
    serverCertificateManager: manager,
  };
}

async function main() {
  const server = new opcua.OPCUAServer({
    hostname: "127.0.0.1",
    alternateHostname: ["127.0.0.1", "localhost"],
    port: options.port,
    allowAnonymous: true,
    maxConnectionsPerEndpoint: 100,
    nodeset_filename: [opcua.nodesets.standard],
    serverInfo: { applicationUri: `${NAMESPACE}:server` },
    // A collector that is killed leaves its session and subscription behind until they expire.
    serverCapabilities: {
      minSupportedSampleRate: 0, maxSessions: 1000, maxSubscriptions: 1000, maxSubscriptionsPerSession: 1000,
    },
    ...(await security()),
  });
  await server.initialize();
  const addressSpace = server.engine.addressSpace;
  const namespace = addressSpace.registerNamespace(NAMESPACE);
  const folder = namespace.addFolder(addressSpace.rootFolder.objects, { browseName: "Fault" });
  for (let tag = 0; tag < options.tags; tag++) variables.push(addVariable(namespace, folder, tag));
  produced = Math.max(1, Math.floor((Date.now() - options.t0_ms) / options.step_ms) + 1);
  variables.forEach((variable, tag) => variable._internal_set_dataValue(sample(tag, produced - 1)));
  fs.writeSync(journal, `life ${produced}\n`);
  await server.start();
  produce();
  fs.writeSync(journal, "ready\n"); // what came due while it started is late by that
  readline.createInterface({ input: process.stdin }).on("line", (line) => {
    const [word, milliseconds] = line.split(" ");
    if (word !== "offset") return;
    jumps.push([produced, Number(milliseconds)]);
    fs.writeSync(journal, `jump ${produced} ${milliseconds}\n`);
    order = null;
  });
  process.stdout.write("ready\n");
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
