// Node: each socket is piped into itself, which keeps the back-pressure. Practice: Node.js
// documentation, "Net" (net.createServer, noDelay) and "Stream" (readable.pipe). How much is received
// at once is its own choice (64 KiB): there is no --buffer.
'use strict';
const net = require('net');

const {listen = '127.0.0.1:0'} = Object.fromEntries(
    process.argv.slice(2).join(' ').split('--').filter(Boolean).map((word) => word.trim().split(' ')));
const server = net.createServer({noDelay: true}, (peer) => {
  peer.on('error', () => peer.destroy());
  peer.pipe(peer);
});
server.on('listening', () => {
  const at = server.address();
  console.log('listening on', typeof at === 'string' ? `unix:${at}` : `${at.address}:${at.port}`);
});
if (listen.startsWith('unix:')) {
  server.listen({path: listen.slice('unix:'.length), backlog: 4096});
} else {
  const [host, port] = listen.split(':');
  server.listen({host, port: Number(port), backlog: 4096});
}
