package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"nullspf/internal/peers"
)

// browser takes the screenshot, if it is there.
const browser = "chromium"

// web shows the forgery log as pages: their address, and a screenshot where there is a
// browser. With -keep, they stay until the demo is interrupted.
func (d *demo) web(ctx context.Context) error {
	d.say("9. The same as pages")
	at, err := peers.FreePort(d.tracker.Addr())
	if err != nil {
		return err
	}
	args := []string{"web", "-c", filepath.Join(d.dir, "nullspf.yaml"), "--listen", at.String()}
	fmt.Println("$", d.nullspf, strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, d.nullspf, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	base := "http://" + at.String()
	page := base + "/?since=1h"
	if err := answers(ctx, page); err != nil {
		return err
	}
	fmt.Println(page)
	if path, err := exec.LookPath(browser); err == nil {
		if err := d.screenshots(ctx, path, base, page); err != nil {
			return err
		}
	}
	if d.keep {
		fmt.Println("The pages and servers stay until Ctrl-C.")
		<-ctx.Done()
	}
	return nil
}

// answers waits until a page is served.
func answers(ctx context.Context, page string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(r)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
			return fmt.Errorf("%s answers %s", page, response.Status)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// screenshots takes those of the overview, and beside it of the most active client and of the
// zones.
func (d *demo) screenshots(ctx context.Context, program, base, overview string) error {
	client, err := mostActive(ctx, base)
	if err != nil {
		return err
	}
	dir := filepath.Dir(d.picture)
	for _, s := range [][2]string{
		{d.picture, overview}, {filepath.Join(dir, "client.png"), base + "/?since=1h&ip=" + client}, {filepath.Join(dir, "zones.png"), base + "/zones"},
	} {
		if err := screenshot(ctx, program, s[1], s[0]); err != nil {
			return err
		}
	}
	return nil
}

// mostActive is the client with the most attempts.
func mostActive(ctx context.Context, base string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/v1/top?since=1h&by=ip&n=1", nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var top struct {
		Values []struct {
			Value string `json:"value"`
		} `json:"values"`
	}
	if err := json.NewDecoder(response.Body).Decode(&top); err != nil {
		return "", err
	}
	if len(top.Values) == 0 {
		return "", errors.New("the pages know no client")
	}
	return top.Values[0].Value, nil
}

func screenshot(ctx context.Context, program, page, picture string) error {
	file, err := filepath.Abs(picture)
	if err != nil {
		return err
	}
	profile, err := os.MkdirTemp("", "demo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(profile)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	args := []string{
		"--headless", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars", "--user-data-dir=" + profile,
		"--window-size=1280,1100", "--screenshot=" + file, page,
	}
	if os.Geteuid() == 0 {
		args = append([]string{"--no-sandbox"}, args...) // Chromium's sandbox is not for root
	}
	if out, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("%s has written no screenshot: %w", program, err)
	}
	fmt.Println("screenshot:", picture)
	return nil
}
