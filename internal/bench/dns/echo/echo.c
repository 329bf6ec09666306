/* A UDP server that sends every message back, as an answer: what receiving and
 * sending in batches costs at least. Usage: echo PORT, on 127.0.0.1. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { batch = 64, room = 1280 };

static struct mmsghdr messages[batch];
static struct iovec vectors[batch];
static struct sockaddr_in clients[batch];
static unsigned char buffers[batch][room];

int main(int argc, char **argv)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 4 << 20;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	if (argc != 2 || fd < 0)
		return 2;
	at.sin_port = htons(atoi(argv[1]));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0) {
		perror("bind");
		return 1;
	}
	for (int i = 0; i < batch; i++) {
		vectors[i].iov_base = buffers[i];
		messages[i].msg_hdr.msg_name = &clients[i];
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	for (;;) {
		for (int i = 0; i < batch; i++) {
			vectors[i].iov_len = room;
			messages[i].msg_hdr.msg_namelen = sizeof clients[i];
		}
		int n = recvmmsg(fd, messages, batch, MSG_WAITFORONE, NULL);
		for (int i = 0; i < n; i++) {
			vectors[i].iov_len = messages[i].msg_len;
			buffers[i][2] |= 0x84; /* QR, AA */
		}
		for (int sent = 0; sent < n;) {
			int k = sendmmsg(fd, messages + sent, n - sent, 0);
			sent += k > 0 ? k : 1;
		}
	}
}
