package localredis

import "syscall"

// attributes makes the kernel end Redis when the service is killed. The signal comes when
// the thread ends that started Redis (prctl(2), PR_SET_PDEATHSIG), so that thread has to
// live as long as the service. In its own process group Redis gets no SIGINT from the
// terminal: it must outlive the last clicks.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
