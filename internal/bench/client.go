//go:build linux

package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

const requestTimeout = 40 * time.Second // more than the server takes for anything

// connection is one client's, kept open. It writes requests itself and reads answers by the standard library:
// the client of net/http would use as much processor time as the server has left.
type connection struct {
	address string
	conn    net.Conn
	reader  *bufio.Reader
	request []byte
	answer  bytes.Buffer
}

// call makes a request and answers what was wrong with it. The head is the request line and the headers, but for
// those of the body; the body may be empty.
func (c *connection) call(want int, head, body string) (problem string) {
	status, err := c.exchange(head, body)
	switch {
	case err != nil:
		c.close()
		return "no answer"
	case status == want:
		return ""
	}
	var refusal struct {
		Code string `json:"errorCode"`
	}
	if json.Unmarshal(c.answer.Bytes(), &refusal) == nil && refusal.Code != "" {
		return refusal.Code
	}
	return fmt.Sprint("HTTP ", status)
}

func (c *connection) exchange(head, body string) (status int, err error) {
	if c.conn == nil {
		if c.conn, err = net.Dial("tcp", c.address); err != nil {
			return 0, err
		}
		c.reader = bufio.NewReader(c.conn)
	}
	if err := c.conn.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return 0, err
	}
	c.request = append(append(c.request[:0], head...), "Host: "...)
	c.request = append(append(c.request, c.address...), "\r\n"...)
	if body != "" {
		c.request = append(c.request, "Content-Type: application/json\r\nContent-Length: "...)
		c.request = append(strconv.AppendInt(c.request, int64(len(body)), 10), "\r\n"...)
	}
	c.request = append(append(c.request, "\r\n"...), body...)
	if _, err := c.conn.Write(c.request); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	c.answer.Reset()
	_, err = io.Copy(&c.answer, answer.Body)
	return answer.StatusCode, err
}

func (c *connection) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// connections are those of a load's clients, to be closed together.
type connections []*connection

func (cs *connections) add(address string) *connection {
	c := &connection{address: address}
	*cs = append(*cs, c)
	return c
}

func (cs connections) close() {
	for _, c := range cs {
		c.close()
	}
}

// setWebhook changes where the partner's webhooks go.
func setWebhook(address, key, url string) error {
	c := &connection{address: address}
	defer c.close()
	body, err := json.Marshal(map[string]string{"baseUrl": url})
	if err != nil {
		return err
	}
	if problem := c.call(http.StatusOK, "PUT /v1/sandbox/webhook HTTP/1.1\r\nx-api-key: "+key+"\r\n", string(body)); problem != "" {
		return fmt.Errorf("set the webhook's URL: %s", problem)
	}
	return nil
}
