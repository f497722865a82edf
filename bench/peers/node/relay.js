// The node peer: ws with its defaults (no compression), doing the relay's and the fan-out's work and nothing else.
// By the path of the upgrade: /echo, /pair/N (to the other link of pair N), /pub (to every /sub).
// No check, no account, no storage: what the broker does on top of this is the broker's own affair.
'use strict'
const { WebSocketServer } = require('ws')

const waiting = new Map()
const subscribers = new Set()
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, backlog: 4096 })

function pair (socket, name) {
  const other = waiting.get(name)
  if (other === undefined) {
    waiting.set(name, socket)
  } else {
    waiting.delete(name)
    socket.other = other
    other.other = socket
  }
  socket.on('message', (data, binary) => {
    if (socket.other !== undefined) socket.other.send(data, { binary })
  })
  socket.on('close', () => { if (waiting.get(name) === socket) waiting.delete(name) })
}

server.on('connection', (socket, request) => {
  socket.on('error', () => socket.terminate())
  if (request.url.startsWith('/pair/')) {
    pair(socket, request.url)
  } else if (request.url === '/sub') {
    subscribers.add(socket)
    socket.on('close', () => subscribers.delete(socket))
  } else if (request.url === '/pub') {
    socket.on('message', (data, binary) => {
      for (const subscriber of subscribers) subscriber.send(data, { binary })
    })
  } else {
    socket.on('message', (data, binary) => socket.send(data, { binary }))
  }
})
server.on('listening', () => process.stdout.write(`listening ${server.address().port}\n`))
