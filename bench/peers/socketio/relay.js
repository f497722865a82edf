// The socket.io peer: its defaults, an event named `signal` with a text of the same length, to the other socket of a
// pair. A text and not bytes, because bytes would cost socket.io a second WebSocket message each time.
'use strict'
const { createServer } = require('http')
const { Server } = require('socket.io')

const waiting = new Map()
const http = createServer()
const io = new Server(http, { serveClient: false })

io.on('connection', socket => {
  const name = socket.handshake.query.pair
  const other = waiting.get(name)
  if (other === undefined) {
    waiting.set(name, socket)
  } else {
    waiting.delete(name)
    socket.other = other
    other.other = socket
  }
  socket.on('signal', data => { if (socket.other !== undefined) socket.other.emit('signal', data) })
  socket.on('disconnect', () => { if (waiting.get(name) === socket) waiting.delete(name) })
})
http.listen(0, '127.0.0.1', 4096, () => process.stdout.write(`listening ${http.address().port}\n`))
