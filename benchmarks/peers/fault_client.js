// node-opcua's own client, as its documentation has it, writing what it receives: a line `tag,source ms` a value.
//
// `node fault_client.js '<json>'` with url, tags (names), queue_size, publish_ms, output.
"use strict";

const fs = require("node:fs");
const opcua = require("node-opcua");

const options = JSON.parse(process.argv[2]);
const output = fs.createWriteStream(options.output, { flags: "a" });

async function main() {
  const client = opcua.OPCUAClient.create({
    endpointMustExist: false,
    keepSessionAlive: true,
    connectionStrategy: { maxRetry: -1, initialDelay: 500, maxDelay: 4000 },
  });
  await client.connect(options.url);
  const session = await client.createSession();
  const namespaces = await session.readNamespaceArray();
  const index = namespaces.indexOf("urn:chemlink:fault");
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: options.publish_ms,
    requestedLifetimeCount: 1000,
    requestedMaxKeepAliveCount: 25,
    maxNotificationsPerPublish: 0,
    publishingEnabled: true,
    priority: 1,
  });
  const group = opcua.ClientMonitoredItemGroup.create(
    subscription,
    options.tags.map((name) => ({ nodeId: `ns=${index};s=${name}`, attributeId: opcua.AttributeIds.Value })),
    { samplingInterval: 0, queueSize: options.queue_size, discardOldest: true },
    opcua.TimestampsToReturn.Both,
  );
  group.on("changed", (_item, dataValue, position) => {
    output.write(`${options.tags[position]},${dataValue.sourceTimestamp.getTime()}\n`);
  });
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
