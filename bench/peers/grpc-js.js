// SPDX-License-Identifier: Apache-2.0
//
// @grpc/grpc-js over mutual TLS:
//
//   node grpc-js.js serve PROTO FILE CERT KEY CA     prints its port, serves until stdin ends
//   node grpc-js.js fetch PROTO PORT CERT KEY CA     prints the bytes of all messages
'use strict';

const fs = require('fs');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const MESSAGE_SIZE = 64 * 1024;
const [what, proto, subject, cert, key, ca] = process.argv.slice(2);
const { StreamService } = grpc.loadPackageDefinition(loader.loadSync(proto)).bench.v1;
const pem = { cert: fs.readFileSync(cert), key: fs.readFileSync(key), ca: fs.readFileSync(ca) };

function fetchFile(call) {
  const file = fs.openSync(subject, 'r');
  let at = 0;
  const send = () => {
    for (;;) {
      const data = Buffer.allocUnsafe(MESSAGE_SIZE);
      const n = fs.readSync(file, data, 0, MESSAGE_SIZE, at);
      if (n === 0) {
        fs.closeSync(file);
        call.end();
        return;
      }
      at += n;
      if (!call.write({ data: data.subarray(0, n) })) {
        call.once('drain', send);
        return;
      }
    }
  };
  send();
}

function serve() {
  const server = new grpc.Server();
  const pair = { cert_chain: pem.cert, private_key: pem.key };
  const credentials = grpc.ServerCredentials.createSsl(pem.ca, [pair], true);

  server.addService(StreamService.service, { Fetch: fetchFile });
  server.bindAsync('127.0.0.1:0', credentials, (error, port) => {
    if (error) throw error;
    console.log(port);
  });
  process.stdin.resume().on('end', () => process.exit(0));
}

function fetch() {
  const client = new StreamService(`localhost:${subject}`, grpc.credentials.createSsl(pem.ca, pem.key, pem.cert));
  let bytes = 0;

  client.Fetch({})
    .on('data', (response) => { bytes += response.data.length; })
    .on('error', (error) => { throw error; })
    .on('end', () => {
      console.log(bytes);
      client.close();
    });
}

if (what === 'serve') serve();
else fetch();
