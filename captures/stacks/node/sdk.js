// Calls DynamoDB with the AWS SDK for JavaScript: sdk.js SCHEME [account] [temporary]
// Needs NODE_PATH to hold the SDK. Prints what Node says of each connection, as JSON.
'use strict'
const http = require('http')
const https = require('https')
const { DynamoDBClient, ListTablesCommand } = require('@aws-sdk/client-dynamodb')

const [scheme, ...options] = process.argv.slice(2)
const agent = scheme === 'https' ? new https.Agent({ keepAlive: false }) : new http.Agent({ keepAlive: false })
const create = agent.createConnection.bind(agent)
agent.createConnection = (...args) => {
  const socket = create(...args)
  socket.once(scheme === 'https' ? 'secureConnect' : 'connect', () => {
    const said = { port: socket.localPort }
    if (scheme === 'https') {
      said.version = socket.getProtocol()
      said.cipher = socket.getCipher().standardName
      said.node_group = socket.getEphemeralKeyInfo().name || null
      said.resumed = socket.isSessionReused()
    }
    console.log(JSON.stringify(said))
  })
  return socket
}
const credentials = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'throwaway' }
if (options.includes('account')) credentials.accountId = '123456789012'
if (options.includes('temporary')) {
  credentials.accessKeyId = 'ASIAIOSFODNN7EXAMPLE'
  credentials.sessionToken = 'throwaway/session/token'
}
const client = new DynamoDBClient({
  region: 'eu-west-1',
  endpoint: scheme === 'https' ? undefined : 'http://dynamodb.eu-west-1.amazonaws.com',
  credentials,
  maxAttempts: 1,
  requestHandler: { httpAgent: agent, httpsAgent: agent, requestTimeout: 20000 }
})
client.send(new ListTablesCommand({})).then(
  (answer) => console.log(JSON.stringify({ tables: answer.TableNames.length })),
  (error) => { console.log(String(error)); process.exitCode = 1 })
