// A TLS client with Node's own stack: client.js ADDRESS PORT NAME CA_FILE [1.2]
// Prints what Node says of the handshake, as JSON.
'use strict'
const fs = require('fs')
const tls = require('tls')

const [address, port, name, authority, maximum] = process.argv.slice(2)
const options = { host: address, port: Number(port), servername: name, ca: fs.readFileSync(authority), ALPNProtocols: ['http/1.1'] }
if (maximum) options.maxVersion = `TLSv${maximum}`
const socket = tls.connect(options, () => socket.write('ping\n'))
socket.once('data', () => {
  const key = socket.getEphemeralKeyInfo()
  console.log(JSON.stringify({
    port: socket.localPort,
    version: socket.getProtocol(),
    cipher: socket.getCipher().standardName,
    node_group: key.name || null,
    alpn: socket.alpnProtocol || null,
    library: process.versions.openssl
  }))
  socket.end()
})
socket.on('error', (error) => { console.log(String(error)); process.exitCode = 1 })
