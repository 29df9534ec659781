// client.go - Go's net/http with its defaults, four workers: `client URL...`.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

func main() {
	pem, _ := os.ReadFile(os.Getenv("CA"))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	keys, _ := os.OpenFile(os.Getenv("SSLKEYLOGFILE"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 2,
		TLSClientConfig: &tls.Config{RootCAs: pool, KeyLogWriter: keys}}}
	work := make(chan string)
	var done sync.WaitGroup
	for i := 0; i < 4; i++ {
		done.Add(1)
		go func() {
			defer done.Done()
			for u := range work {
				if r, err := client.Get(u); err == nil {
					io.Copy(io.Discard, r.Body)
					r.Body.Close()
				}
				time.Sleep(100 * time.Millisecond)
			}
		}()
	}
	for _, u := range os.Args[1:] {
		work <- u
	}
	close(work)
	done.Wait()
}
