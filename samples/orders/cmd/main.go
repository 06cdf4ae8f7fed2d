// Command cmd serves the orders API by itself, on 127.0.0.1:8090 or the address given.
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/drawbridge-mcp/drawbridge/samples/orders"
)

func main() {
	addr := "127.0.0.1:8090"
	if len(os.Args) > 1 {
		addr = os.Args[1]
	}
	fmt.Println("orders API at http://" + addr + "  (document: /openapi.yaml)")
	server := &http.Server{Addr: addr, Handler: orders.New(nil), ReadHeaderTimeout: 5 * time.Second}
	if err := server.ListenAndServe(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
