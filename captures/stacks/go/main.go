// A TLS client with Go's own stack: client ADDRESS PORT NAME CA_FILE [1.2]
// Prints what Go says of the handshake, as JSON.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"runtime"
)

func main() {
	address, port, name, authority := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	pem, err := os.ReadFile(authority)
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	config := &tls.Config{ServerName: name, RootCAs: roots, NextProtos: []string{"h2", "http/1.1"}}
	if len(os.Args) > 5 {
		config.MaxVersion = tls.VersionTLS12
	}
	connection, err := tls.Dial("tcp", net.JoinHostPort(address, port), config)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := connection.Write([]byte("ping\n")); err != nil {
		log.Fatal(err)
	}
	if _, err := connection.Read(make([]byte, 100)); err != nil {
		log.Fatal(err)
	}
	state := connection.ConnectionState()
	versions := map[uint16]string{tls.VersionTLS12: "TLSv1.2", tls.VersionTLS13: "TLSv1.3"}
	said, _ := json.Marshal(map[string]any{
		"port":    connection.LocalAddr().(*net.TCPAddr).Port,
		"version": versions[state.Version],
		"cipher":  tls.CipherSuiteName(state.CipherSuite),
		"resumed": state.DidResume,
		"library": runtime.Version(),
	})
	fmt.Println(string(said))
	connection.Close()
}
