// node-opcua's own client, reading and writing nothing. node speed_client.mjs '<json>' with url, namespace,
// publish_ms, secure, certificate, key, pki, and either tags (subscribe) or history (tag names, begin_ms, end_ms).
// Subscribing it prints a JSON line a second: values so far, own CPU seconds. Reading history it prints one.
import opcua from "node-opcua";

const options = JSON.parse(process.argv[2]);
const manager = new opcua.OPCUACertificateManager({
  rootFolder: options.pki, automaticallyAcceptUnknownCertificate: true,
});
await manager.initialize();
const client = opcua.OPCUAClient.create({
  endpointMustExist: false,
  securityMode: options.secure ? opcua.MessageSecurityMode.SignAndEncrypt : opcua.MessageSecurityMode.None,
  securityPolicy: options.secure ? opcua.SecurityPolicy.Basic256Sha256 : opcua.SecurityPolicy.None,
  certificateFile: options.certificate,
  privateKeyFile: options.key,
  clientCertificateManager: manager,
  requestedSessionTimeout: 120_000,
});
await client.connect(options.url);
const session = await client.createSession();
const cpu = () => {
  const used = process.cpuUsage();
  return (used.user + used.system) / 1e6;
};
let values = 0;
let sum = 0;

async function subscribe() {
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: options.publish_ms,
    requestedLifetimeCount: 1000,
    requestedMaxKeepAliveCount: 20,
    maxNotificationsPerPublish: 0,
    publishingEnabled: true,
  });
  const items = Array.from({ length: options.tags }, (_, tag) => ({
    nodeId: `ns=${options.namespace};s=T${tag}`, attributeId: opcua.AttributeIds.Value,
  }));
  const filter = new opcua.DataChangeFilter({ trigger: opcua.DataChangeTrigger.StatusValueTimestamp });
  const group = await subscription.monitorItems(
    items, { samplingInterval: 0, queueSize: 20, discardOldest: true, filter }, opcua.TimestampsToReturn.Both,
  );
  group.on("changed", (_item, dataValue) => {
    values += 1;
    sum += dataValue.value.value;
  });
  setInterval(() => console.log(JSON.stringify({ values, cpu_s: cpu(), sum })), 1000);
}

async function readHistory() {
  const begun = cpu();
  for (const name of options.history) {
    let continuationPoint;
    do {
      const answer = await session.historyRead(new opcua.HistoryReadRequest({
        historyReadDetails: new opcua.ReadRawModifiedDetails({
          isReadModified: false,
          startTime: new Date(options.begin_ms),
          endTime: new Date(options.end_ms),
          numValuesPerNode: options.page,
          returnBounds: false,
        }),
        timestampsToReturn: opcua.TimestampsToReturn.Both,
        nodesToRead: [{ nodeId: `ns=${options.namespace};s=${name}`, continuationPoint }],
      }));
      const [result] = answer.results;
      for (const dataValue of result.historyData.dataValues) {
        values += 1;
        sum += dataValue.value.value;
      }
      continuationPoint = result.continuationPoint?.length ? result.continuationPoint : undefined;
    } while (continuationPoint);
  }
  console.log(JSON.stringify({ values, cpu_s: cpu() - begun, sum }));
  await session.close();
  await client.disconnect();
  process.exit(0);
}

await (options.history ? readHistory() : subscribe());
