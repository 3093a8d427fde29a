// A TLS server that agrees on a post-quantum group or on nothing: post_quantum.js ADDRESS PORT CERTIFICATE KEY
'use strict'
const fs = require('fs')
const tls = require('tls')

const [address, port, certificate, key] = process.argv.slice(2)
const options = { cert: fs.readFileSync(certificate), key: fs.readFileSync(key), ecdhCurve: 'X25519MLKEM768', ALPNProtocols: ['http/1.1'] }
const server = tls.createServer(options, (socket) => {
  socket.once('data', () => socket.end('gnip\n'))
  socket.on('error', () => {})
})
server.listen(Number(port), address)
