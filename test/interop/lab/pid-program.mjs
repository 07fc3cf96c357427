/** Tells its process id over IPC and stays. */
process.send(process.pid);
setInterval(() => {}, 60_000);
