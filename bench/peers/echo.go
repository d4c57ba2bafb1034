// Go's package net: a goroutine for each connection, blocking calls; the runtime waits on epoll.
// Practice: the overview of package net (Listen, Accept, one goroutine each); TCP_NODELAY is the
// default (TCPConn.SetNoDelay). The runtime takes as many threads as it has cores: pinned to one, it
// runs one. With --fan the publisher's goroutine writes to all others.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
)

// Who receives what the others send.
type room struct {
	lock sync.Mutex
	all  map[net.Conn]bool
}

func (r *room) others(than net.Conn) []net.Conn {
	r.lock.Lock()
	defer r.lock.Unlock()
	out := make([]net.Conn, 0, len(r.all))
	for c := range r.all {
		if c != than {
			out = append(out, c)
		}
	}
	return out
}

func (r *room) enter(c net.Conn) {
	r.lock.Lock()
	r.all[c] = true
	r.lock.Unlock()
}

func (r *room) leave(c net.Conn) {
	r.lock.Lock()
	delete(r.all, c)
	r.lock.Unlock()
}

func echo(c net.Conn, bytes int) {
	defer c.Close()
	buffer := make([]byte, bytes)
	for {
		n, err := c.Read(buffer)
		if err != nil {
			return
		}
		if _, err = c.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func publish(c net.Conn, bytes int, all *room) {
	defer c.Close()
	defer all.leave(c)
	buffer := make([]byte, bytes)
	for {
		n, err := c.Read(buffer)
		if err != nil {
			return
		}
		for _, other := range all.others(c) {
			other.Write(buffer[:n]) // an error is seen by its own Read
		}
	}
}

func main() {
	at := flag.String("listen", "127.0.0.1:0", "127.0.0.1:PORT or unix:PATH")
	bytes := flag.Int("buffer", 4096, "bytes of a receive")
	fan := flag.Bool("fan", false, "what one sends goes to all others")
	threads := flag.Int("threads", 0, "GOMAXPROCS")
	flag.Parse()
	if *threads > 0 {
		runtime.GOMAXPROCS(*threads)
	}
	network, address := "tcp", *at
	if strings.HasPrefix(address, "unix:") {
		network, address = "unix", address[len("unix:"):]
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if network == "unix" {
		fmt.Println("listening on unix:" + address)
	} else {
		fmt.Println("listening on", listener.Addr())
	}
	all := &room{all: map[net.Conn]bool{}}
	for {
		c, err := listener.Accept()
		if err != nil {
			continue
		}
		if *fan {
			all.enter(c)
			go publish(c, *bytes, all)
		} else {
			go echo(c, *bytes)
		}
	}
}
