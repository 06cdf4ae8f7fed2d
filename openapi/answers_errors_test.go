package openapi

import (
	"strings"
	"testing"
)

func TestErrorsSayWhatAndWhere(t *testing.T) { // §12: the API's own words first
	const js = "Content-Type: application/json"
	typed := func(body, said string) wireCase {
		return wireCase{body, "typed", 400, body, []string{js}, "text(400 Bad Request from GET /typed/{id}\n" + said + "\ncheck the arguments) error"}
	}
	checkWire(t, answersDoc, []wireCase{
		typed(`{"statusCode":400,"message":["name must be a string","age must be a number"],"error":"Bad Request"}`, "name must be a string\nage must be a number"),
		typed(`{"statusCode":400,"message":[{"property":"name"}],"error":"Bad Request"}`, `{"error":"Bad Request","message":[{"property":"name"}],"statusCode":400}`),
		typed(`{"message":{"name":["is required"]},"error":"Bad Request"}`, `{"error":"Bad Request","message":{"name":["is required"]}}`),
		typed(`{"errors":[{"field":"name","message":"is required"},{"status":"422","source":{"pointer":"/data/title"},"title":"Invalid","detail":"too short"}]}`, "is required\nfield: name\ntoo short\nsource: {\"pointer\":\"/data/title\"}"),
		typed(`{"error":{"type":"invalid_request_error","code":"parameter_missing","message":"Missing.","param":"amount"}}`, "Missing.\ncode: parameter_missing\nparam: amount"),
		typed(`{"type":"https://x/y","detail":"bad","instance":"/a","errors":[{"pointer":"#/age"}]}`, "bad\n{\"errors\":[{\"pointer\":\"#/age\"}],\"instance\":\"/a\"}"),
		typed(`{"title":"Bad input","status":400}`, "Bad input"),
		typed(`{"message":"","detail":"no"}`, "no"),
		typed(`{"errors":[],"message":"no"}`, "no"),
		typed("\xef\xbb\xbf \n{\"message\":\"no\"}\n", "no"),
		typed("\xff\xfe{\x00\"\x00m\x00s\x00g\x00\"\x00:\x00\"\x00n\x00o\x00\"\x00}\x00", "no"),
		typed(`{"message":"no","trace":"`+strings.Repeat("x", 100<<10)+`"}`, "no"),
		typed(`{"message":"no","list":[`+strings.Repeat("1,", 5<<20), "no"),
	})
}

func TestPagesOfErrorsAreReduced(t *testing.T) { // §12: HTML → title and text
	for body, header := range map[string]string{
		"<html><body><h1>caf\xe9</h1><svg><style>x</style>y</svg></body></html>": "text/html; charset=iso-8859-1",
		"\n<HTML><body>café": "text/plain",
		"<?xml version=\"1.0\"?><html><body>café</body></html>": "application/xhtml+xml",
		"\xef\xbb\xbf<!DOCTYPE html><title>café</title>":        "",
	} {
		checkWire(t, answersDoc, []wireCase{{body, "free", 404, body, []string{"Content-Type: " + header}, "text(404 Not Found from GET /free\ncafé) error"}})
	}
}
