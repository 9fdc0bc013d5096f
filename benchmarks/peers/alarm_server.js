// Alarm conditions of a server that shares no code with the collector: limits, acknowledge, confirm, shelve.
//
// `node alarm_server.js <port>`, SecurityPolicy None. On standard input `set <tag> <value>` changes a tag's value,
// which raises and clears its alarm; each line is answered on standard output when it is done.
"use strict";

const readline = require("node:readline");
const opcua = require("node-opcua");

const NAMESPACE = "urn:chemlink:alarms";
const TAGS = ["T101.LEVEL", "T102.LEVEL", "T103.LEVEL"];
const OPTIONALS = ["ConfirmedState", "Confirm", "ShelvingState", "SuppressedState", "OutOfServiceState"];
const values = {};

function addTank(namespace, addressSpace, tag) {
  const tank = namespace.addObject({
    browseName: `Tank ${tag}`,
    organizedBy: addressSpace.rootFolder.objects,
    eventNotifier: 1,
    notifierOf: addressSpace.rootFolder.objects.server,
  });
  values[tag] = namespace.addVariable({
    browseName: tag,
    nodeId: `s=${tag}`,
    componentOf: tank,
    eventSourceOf: tank,
    dataType: "Double",
    value: { dataType: "Double", value: 50 },
  });
  const alarm = namespace.instantiateExclusiveLimitAlarm("ExclusiveLimitAlarmType", {
    browseName: `${tag}.Alarm`,
    nodeId: `s=${tag}.Alarm`,
    conditionName: `${tag}.Alarm`,
    componentOf: tank,
    conditionSource: values[tag],
    inputNode: values[tag],
    optionals: OPTIONALS,
    highHighLimit: 90,
    highLimit: 80,
    lowLimit: 20,
    lowLowLimit: 10,
  });
  alarm.setEnabledState(true);
  alarm.shelvingState.setState("Unshelved"); // node-opcua 2.182 begins in no state at all
}

async function main() {
  const server = new opcua.OPCUAServer({
    hostname: "127.0.0.1",
    alternateHostname: ["127.0.0.1", "localhost"],
    port: Number(process.argv[2]),
    allowAnonymous: true,
    nodeset_filename: [opcua.nodesets.standard],
    securityModes: [opcua.MessageSecurityMode.None],
    securityPolicies: [opcua.SecurityPolicy.None],
    serverInfo: { applicationUri: `${NAMESPACE}:server` },
  });
  await server.initialize();
  const addressSpace = server.engine.addressSpace;
  addressSpace.installAlarmsAndConditionsService();
  const namespace = addressSpace.registerNamespace(NAMESPACE);
  for (const tag of TAGS) addTank(namespace, addressSpace, tag);
  await server.start();
  readline.createInterface({ input: process.stdin }).on("line", (line) => {
    const [, tag, value] = line.split(" ");
    values[tag].setValueFromSource({ dataType: "Double", value: Number(value) });
    process.stdout.write("done\n");
  });
  process.stdout.write("ready\n");
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
