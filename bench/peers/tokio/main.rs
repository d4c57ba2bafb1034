// tokio: a task for each connection, read() and write_all(). Practice: the tokio tutorial, "I/O"
// (echo server by hand, its buffer on the heap) and "Spawning"; one thread is the current_thread
// runtime (tokio::runtime, "Runtime Configurations"), --threads the multi-thread one.
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

struct Arguments {
    listen: String,
    buffer_bytes: usize,
    threads: usize,
}

fn read_arguments() -> Arguments {
    let mut a = Arguments { listen: "127.0.0.1:0".into(), buffer_bytes: 4096, threads: 1 };
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let value = words.next().unwrap_or_default();
        match name.as_str() {
            "--listen" => a.listen = value,
            "--buffer" => a.buffer_bytes = value.parse().expect("--buffer"),
            "--threads" => a.threads = value.parse().expect("--threads"),
            _ => panic!("does not know {name}"),
        }
    }
    a
}

async fn echo(mut peer: impl AsyncRead + AsyncWrite + Unpin, bytes: usize) {
    let mut buffer = vec![0; bytes];
    loop {
        match peer.read(&mut buffer).await {
            Ok(n) if n > 0 => {
                if peer.write_all(&buffer[..n]).await.is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}

async fn serve(a: &Arguments) -> io::Result<()> {
    let bytes = a.buffer_bytes;
    if let Some(path) = a.listen.strip_prefix("unix:") {
        let listener = UnixListener::bind(path)?;
        println!("listening on {}", a.listen);
        loop {
            let (peer, _) = listener.accept().await?;
            tokio::spawn(echo(peer, bytes));
        }
    }
    let listener = TcpListener::bind(&a.listen).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (peer, _) = listener.accept().await?;
        peer.set_nodelay(true)?;
        tokio::spawn(echo(peer, bytes));
    }
}

fn main() -> io::Result<()> {
    let a = read_arguments();
    let mut builder = match a.threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if a.threads > 1 {
        builder.worker_threads(a.threads);
    }
    builder.enable_io().build()?.block_on(serve(&a))
}
