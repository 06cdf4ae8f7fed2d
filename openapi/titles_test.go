package openapi

import (
	"strings"
	"testing"
)

func TestTitlesAreNamesInWords(t *testing.T) { // D4
	for id, want := range map[string]string{
		"getOrder": "Get order", "getCDRecord": "Get CD record", "listHTTPRoutes": "List HTTP routes", "getOAuthApp": "Get OAuth app",
		"v1IngestSource": "V1 ingest source", "listUserIDs": "List user IDs", "post-_marketing_v3_forms__create": "Post marketing v3 forms create",
		"addUserToTheGroupOfPeopleWhoMayReadReportsOfTheirTeam": "Add user to the group of people who may read reports of their team",
		"get IPv6 of S3Bucket": "Get IPv6 of S3 bucket",
	} {
		tool := importText(t, strings.Replace(oneOperation("get", "/x", `"tags":[]`), `"op"`, `"`+id+`"`, 1), Options{}).Tools[0]
		if tool.Title != want || tool.Annotations.Title != want {
			t.Errorf("%s: %q, want %q", id, tool.Title, want)
		}
	}
	tool := importText(t, strings.Replace(oneOperation("get", "/x", `"tags":[]`), `"op"`, `"订单"`, 1), Options{}).Tools[0]
	if !strings.HasPrefix(tool.Title, "Op ") {
		t.Errorf("title %q of a name that has no letters left", tool.Title)
	}
}
