// Reads the store process with the unmodified Go client, over HTTP.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/ClickHouse/clickhouse-go/v2"
)

func main() {
	connection, err := clickhouse.Open(&clickhouse.Options{
		Protocol: clickhouse.HTTP,
		Addr:     []string{os.Args[1]},
		Auth: clickhouse.Auth{
			Database: "population",
			Username: os.Args[2],
			Password: os.Getenv("STORE_PASSWORD"),
		},
	})
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(1)
	}
	for _, sql := range os.Args[3:] {
		rows, err := connection.Query(context.Background(), sql)
		if err != nil {
			fmt.Println("refused:", err)
			continue
		}
		for rows.Next() {
			var name string
			var number int64
			if err := rows.Scan(&name, &number); err != nil {
				fmt.Println("scan:", err)
				os.Exit(1)
			}
			fmt.Println("row:", name, number)
		}
		if err := rows.Err(); err != nil {
			fmt.Println("rows:", err)
		}
	}
}
